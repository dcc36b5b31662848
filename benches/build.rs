//! Builds the C shim of the `hiredis` feature; without it, nothing.

fn main() {
    println!("cargo::rerun-if-changed=src/resp/hiredis.c");
    if std::env::var_os("CARGO_FEATURE_HIREDIS").is_some() {
        cc::Build::new()
            .file("src/resp/hiredis.c")
            .opt_level(2)
            .compile("hiredis_shim");
        println!("cargo::rustc-link-lib=hiredis");
    }
}
