//! Runs the fuzz targets over their checked-in corpus, as an ordinary test.

mod laws;

use std::{fs, path::Path};

/// Applies `law` to every file of the target's corpus.
fn run(target: &str, law: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fuzz/corpus")
        .join(target);
    let mut count = 0;
    for file in fs::read_dir(&folder).expect("the corpus is checked in") {
        let path = file.expect("a readable folder").path();
        println!("{}", path.display()); // shown when the law fails
        law(&fs::read(path).expect("a readable file"));
        count += 1;
    }
    assert!(count >= 10, "{} holds {count} files", folder.display());
}

#[test]
fn the_law_of_decoding_holds_for_the_corpus() {
    run("decode", laws::decode);
}

#[test]
fn the_law_of_requests_holds_for_the_corpus() {
    run("request", laws::request);
}

#[test]
fn the_law_of_round_trips_holds_for_the_corpus() {
    run("round_trip", laws::round_trip);
}
