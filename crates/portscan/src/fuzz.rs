//! What must hold for whatever is received, typed or read from a file; for the fuzz targets, and over their corpus in a test.

use std::io;

use crate::{Checkpoint, Expectation, Ports, Report, Scanner, Scope, Targets};

/// Reads bytes as every kind of packet that the SYN technique receives.
pub fn packet(data: &[u8]) {
    crate::wire::read_anything(data);
}

/// Reads a text as everything that is read from people and files.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut targets = Targets::new();
    if targets.add(text).is_ok() {
        let written = targets.to_string();
        let mut again = Targets::new();
        assert!(
            again.add(&written).is_ok() && again == targets,
            "{written:?} does not read back"
        );
    }
    if let Ok(ports) = text.parse::<Ports>() {
        assert_eq!(ports.to_string().parse::<Ports>().ok(), Some(ports));
    }
    let _ = text.parse::<Expectation>();
    let _ = text.parse::<Scope>();
    if let Ok(report) = Report::read_json(data) {
        write(&report);
    }
    if let Ok(checkpoint) = Checkpoint::from_json(text) {
        go_on(checkpoint);
    }
}

/// Every format takes every report, and JSON gives it back.
fn write(report: &Report) {
    let _ = report.to_string();
    assert!(report.write_csv(io::sink()).is_ok() && report.write_xml(io::sink()).is_ok());
    let mut json = Vec::new();
    assert!(report.write_json_lines(&mut json).is_ok());
    let back = Report::read_json(&json[..]).ok();
    assert_eq!(
        back.map(|back| back.changes_since(report).is_empty()),
        Some(true)
    );
}

/// A checkpoint that was not refused can be gone on with, to the same checkpoint again. Nothing is sent.
fn go_on(checkpoint: Checkpoint) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    let finished = checkpoint.is_finished();
    let scanner = Scanner::resume(checkpoint).scope(Scope::any());
    if let Ok(scan) = runtime.block_on(scanner.start()) {
        let again = scan.checkpoint();
        assert!(again.check().is_ok(), "{again:?}");
        assert_eq!(again.is_finished(), finished, "{again:?}");
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    /// Applies `law` to every file of a target's corpus.
    fn run(target: &str, law: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../fuzz/corpus")
            .join(target);
        let mut count = 0;
        for file in fs::read_dir(&folder).unwrap() {
            let path = file.unwrap().path();
            println!("{}", path.display()); // shown when the law fails
            law(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count >= 10, "{} holds {count} files", folder.display());
    }

    #[test]
    fn packets_of_the_corpus_do_no_harm() {
        run("portscan_packet", super::packet);
    }

    #[test]
    fn the_laws_of_texts_hold_for_the_corpus() {
        run("portscan_text", super::text);
    }
}
