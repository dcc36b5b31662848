//! Runs the fuzz target `frames` over its checked-in corpus, as an ordinary test.

mod laws;

use std::{fs, path::Path};

#[test]
fn the_laws_hold_for_the_corpus() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/frames");
    let mut count = 0;
    for file in fs::read_dir(&folder).expect("the corpus is checked in") {
        let path = file.expect("a readable folder").path();
        println!("{}", path.display()); // shown when a law fails
        laws::frames(&fs::read(path).expect("a readable file"));
        count += 1;
    }
    assert!(count >= 10, "{} holds {count} files", folder.display());
}
