//! Command lines of the programs here: flags with a value each, and `--help`.

use std::error::Error;
use std::{env, process};

/// What programs here return.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The words of the command line. If `--help` or `-h` is one of them, prints `usage` and ends the program.
#[must_use]
pub fn words(usage: &str) -> Vec<String> {
    let words: Vec<String> = env::args().skip(1).collect();
    if words.iter().any(|word| word == "--help" || word == "-h") {
        println!("{usage}");
        process::exit(0);
    }
    words
}

/// Gives `set` each flag with its value; it says whether it knows the flag. `--help` is as in [`words`]; after a mistake
/// the program ends with status 2.
pub fn each(usage: &str, set: impl FnMut(&str, String) -> Result<bool>) {
    if let Err(error) = try_each(words(usage), set) {
        eprintln!("{error}\n{usage}");
        process::exit(2);
    }
}

fn try_each(words: Vec<String>, mut set: impl FnMut(&str, String) -> Result<bool>) -> Result {
    let mut words = words.into_iter();
    while let Some(flag) = words.next() {
        let value = words.next().ok_or_else(|| format!("{flag} has no value"))?;
        if !set(&flag, value).map_err(|error| format!("{flag}: {error}"))? {
            return Err(format!("unknown flag {flag}").into());
        }
    }
    Ok(())
}

/// The parts of a list that commas separate.
#[must_use]
pub fn list(value: &str) -> Vec<String> {
    let parts = value.split(',').filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// The numbers of such a list.
///
/// # Errors
///
/// If a part is no number.
pub fn numbers(value: &str) -> Result<Vec<u32>> {
    list(value).iter().map(|part| Ok(part.parse()?)).collect()
}
