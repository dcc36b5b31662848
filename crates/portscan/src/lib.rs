//! An asynchronous port scanner as a library: a stream of verdicts, and reports in the usual formats.

#![forbid(unsafe_code)]
