//! What is said of a command whose time is over.

use kv_client::{Error, ErrorKind, Outcome, Phase};

/// It ran out of time in this phase, and that was its outcome.
pub(crate) fn assert_timed_out(error: &Error, expected: Phase, outcome: Outcome) {
    match error.kind() {
        ErrorKind::Timeout { phase, .. } => assert_eq!(*phase, expected, "{error:?}"),
        _ => panic!("it was not a matter of time: {error:?}"),
    }
    assert_eq!(error.outcome(), outcome, "{error:?}");
}
