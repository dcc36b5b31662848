//! The README's list of commands is what the command table says.
//!
//! `UPDATE_README=1 cargo test -p examples --test readme` writes it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::{env, fs};

use kv_client::{Client, Frame};
use kv_server::Server;

const BEGIN: &str = "<!-- commands: begin -->\n";
const END: &str = "<!-- commands: end -->";

#[tokio::test]
async fn the_list_of_commands_in_the_readme_is_the_command_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    let table = table().await;
    if env::var_os("UPDATE_README").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
    } else {
        assert_eq!(
            listed, table,
            "UPDATE_README=1 cargo test -p examples --test readme"
        );
    }
}

/// One row a group, from COMMAND DOCS.
async fn table() -> String {
    let server = Server::builder().start().await.unwrap();
    let client = Client::connect(server.url().as_str()).await.unwrap();
    let docs: Frame = client.command("COMMAND").arg("DOCS").await.unwrap();
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut count = 0;
    for (name, docs) in docs.as_pairs().unwrap() {
        let field = |name: &str| {
            let mut fields = docs.as_pairs().unwrap().iter();
            fields
                .find(|(key, _)| key.as_str() == Some(name))
                .map(|(_, value)| value)
        };
        let group = field("group").unwrap().as_str().unwrap().to_owned();
        let mut shown = name.as_str().unwrap().to_uppercase();
        if let Some(subcommands) = field("subcommands") {
            let names = subcommands.as_pairs().unwrap().iter();
            let names: Vec<_> = names
                .filter_map(|(name, _)| Some(name.as_str()?.split_once('|')?.1.to_uppercase()))
                .collect();
            write!(shown, " ({})", names.join(", ")).unwrap();
        }
        count += 1;
        groups.entry(group).or_default().push(shown);
    }
    let mut table = format!("{count} commands:\n\n| group | commands |\n|---|---|\n");
    for (group, mut names) in groups {
        names.sort();
        writeln!(table, "| {group} | {} |", names.join(", ")).unwrap();
    }
    table
}
