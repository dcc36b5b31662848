//! Entries for the fuzz targets.

/// Reads bytes as every kind of packet that the SYN technique receives.
pub fn packet(data: &[u8]) {
    crate::wire::read_anything(data);
}

/// Reads a text as everything that is read from people and files.
pub fn text(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut targets = crate::Targets::new();
    if targets.add(text).is_ok() {
        let written = targets.to_string();
        assert!(
            crate::Targets::new().add(&written).is_ok(),
            "{written:?} does not read back"
        );
    }
    if let Ok(ports) = text.parse::<crate::Ports>() {
        assert_eq!(ports.to_string().parse::<crate::Ports>().ok(), Some(ports));
    }
    let _ = text.parse::<crate::Expectation>();
    let _ = text.parse::<crate::Scope>();
    let _ = crate::Report::read_json(data);
    let _ = crate::Checkpoint::from_json(text);
}
