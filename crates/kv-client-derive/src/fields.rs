//! What is derived for: a struct, its fields and what its attributes say.

use proc_macro2::TokenStream;
use syn::{Data, DeriveInput, Fields, Generics, Ident, LitStr, Type};

/// A struct.
pub(crate) struct Item {
    pub(crate) name: Ident,
    pub(crate) generics: Generics,
    pub(crate) shape: Shape,
}

pub(crate) enum Shape {
    /// One field without a name.
    Wrapper,
    Named(Vec<Field>),
}

pub(crate) struct Field {
    pub(crate) name: Ident,
    /// Its name in the map.
    pub(crate) wire: String,
    pub(crate) default: bool,
    pub(crate) optional: bool,
}

impl Item {
    pub(crate) fn parse(tokens: TokenStream, what: &str) -> syn::Result<Self> {
        let input: DeriveInput = syn::parse2(tokens)?;
        if let Some(attribute) = input.attrs.iter().find(|attr| attr.path().is_ident("kv")) {
            let text = "`kv` belongs on a field, not on the struct";
            return Err(syn::Error::new_spanned(attribute, text));
        }
        let refuse = |kind: &str| {
            let text = format!(
                "`{what}` can be derived for a struct with named fields, or with a single one; this is {kind}"
            );
            Err(syn::Error::new_spanned(&input.ident, text))
        };
        let shape = match input.data {
            Data::Enum(_) => return refuse("an enum"),
            Data::Union(_) => return refuse("a union"),
            Data::Struct(data) => match data.fields {
                Fields::Unit => return refuse("a struct without fields"),
                Fields::Unnamed(fields) if fields.unnamed.len() == 1 => Shape::Wrapper,
                Fields::Unnamed(_) => return refuse("a tuple"),
                Fields::Named(fields) => Shape::Named(named(fields.named.into_iter())?),
            },
        };
        Ok(Self {
            name: input.ident,
            generics: input.generics,
            shape,
        })
    }
}

fn named(fields: impl Iterator<Item = syn::Field>) -> syn::Result<Vec<Field>> {
    let mut list: Vec<Field> = Vec::new();
    for field in fields {
        let Some(name) = field.ident else { continue };
        let ident = name.to_string();
        let mut wire = ident.strip_prefix("r#").unwrap_or(&ident).to_owned();
        let mut default = false;
        for attribute in field.attrs.iter().filter(|attr| attr.path().is_ident("kv")) {
            attribute.parse_nested_meta(|meta| {
                if meta.path.is_ident("rename") {
                    wire = meta.value()?.parse::<LitStr>()?.value();
                    Ok(())
                } else if meta.path.is_ident("default") {
                    default = true;
                    Ok(())
                } else {
                    Err(meta.error("expected `rename = \"...\"` or `default`"))
                }
            })?;
        }
        if let Some(other) = list.iter().find(|other| other.wire == wire) {
            let text = format!("`{}` has the name {wire:?} already", other.name);
            return Err(syn::Error::new_spanned(name, text));
        }
        list.push(Field {
            optional: is_option(&field.ty),
            name,
            wire,
            default,
        });
    }
    Ok(list)
}

/// Whether a type is written as `Option`, which is all that a macro can see.
fn is_option(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == "Option")
}
