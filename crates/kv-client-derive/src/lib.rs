//! The derive macros of [kv-client](https://docs.rs/kv-client), which exports them with its feature `derive`.

#![forbid(unsafe_code)]

use proc_macro::TokenStream;

mod expand;
mod fields;

/// Makes `FromReply` of a struct: each field is read from the field of a map that has its name.
///
/// - `#[kv(rename = "...")]` on a field: its name in the map.
/// - `#[kv(default)]` on a field: `Default::default()` if the map does not have it. An `Option` needs no such word.
///
/// Other fields of the map are ignored. An empty map, which is what HGETALL has for a key that does not exist, becomes
/// `None` if an `Option` of the struct is asked for. A struct with one field that has no name is read as that field.
#[proc_macro_derive(FromReply, attributes(kv))]
pub fn from_reply(item: TokenStream) -> TokenStream {
    expand::from_reply(item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}

/// Makes `ToArgs` of a struct: the name of each field and its value in turn, as HSET and XADD take them.
///
/// - `#[kv(rename = "...")]` on a field: its name in the map.
///
/// A field whose type is written `Option` is left out if it is `None`. A struct with one field that has no name is that
/// field alone, and `ToArg` as well.
#[proc_macro_derive(ToArgs, attributes(kv))]
pub fn to_args(item: TokenStream) -> TokenStream {
    expand::to_args(item.into())
        .unwrap_or_else(|error| error.to_compile_error())
        .into()
}
