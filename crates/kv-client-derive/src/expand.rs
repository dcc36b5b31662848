//! The code that the macros write.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse_quote;

use crate::fields::{Field, Item, Shape};

pub(crate) fn from_reply(tokens: TokenStream) -> syn::Result<TokenStream> {
    let Item {
        name,
        mut generics,
        shape,
    } = Item::parse(tokens, "FromReply")?;
    for param in generics.type_params_mut() {
        param.bounds.push(parse_quote!(::kv_client::FromReply));
    }
    let (body, option) = match shape {
        Shape::Wrapper => (
            quote!(::kv_client::FromReply::from_reply(reply).map(Self)),
            quote!(),
        ),
        Shape::Named(fields) => {
            let fields = fields.iter().map(take);
            let body = quote! {
                let mut fields = ::kv_client::Fields::read(reply)?;
                ::core::result::Result::Ok(Self { #(#fields)* })
            };
            let option = quote! {
                fn option_from_reply(
                    reply: ::kv_client::Reply,
                ) -> ::core::result::Result<::core::option::Option<Self>, ::kv_client::ReplyError> {
                    if reply.is_null_or_empty() {
                        return ::core::result::Result::Ok(::core::option::Option::None);
                    }
                    <Self as ::kv_client::FromReply>::from_reply(reply).map(::core::option::Option::Some)
                }
            };
            (body, option)
        }
    };
    let (of, params, bounds) = generics.split_for_impl();
    Ok(quote! {
        #[automatically_derived]
        impl #of ::kv_client::FromReply for #name #params #bounds {
            fn from_reply(
                reply: ::kv_client::Reply,
            ) -> ::core::result::Result<Self, ::kv_client::ReplyError> {
                #body
            }

            #option
        }
    })
}

fn take(field: &Field) -> TokenStream {
    let Field { name, wire, .. } = field;
    if field.default {
        quote! {
            #name: if fields.has(#wire) {
                fields.take(#wire)?
            } else {
                ::core::default::Default::default()
            },
        }
    } else {
        quote!(#name: fields.take(#wire)?,)
    }
}

pub(crate) fn to_args(tokens: TokenStream) -> syn::Result<TokenStream> {
    let Item {
        name,
        mut generics,
        shape,
    } = Item::parse(tokens, "ToArgs")?;
    for param in generics.type_params_mut() {
        param.bounds.push(parse_quote!(::kv_client::ToArg));
    }
    let wraps = matches!(shape, Shape::Wrapper);
    let body = match shape {
        Shape::Wrapper => quote!(::kv_client::ToArg::to_arg(&self.0, request);),
        Shape::Named(fields) => fields.iter().map(push).collect(),
    };
    let (of, params, bounds) = generics.split_for_impl();
    let one_arg = wraps.then(|| {
        quote! {
            #[automatically_derived]
            impl #of ::kv_client::ToArg for #name #params #bounds {
                fn to_arg(&self, request: &mut ::kv_client::Request) {
                    #body
                }
            }
        }
    });
    Ok(quote! {
        #[automatically_derived]
        impl #of ::kv_client::ToArgs for #name #params #bounds {
            fn to_args(&self, request: &mut ::kv_client::Request) {
                #body
            }
        }

        #one_arg
    })
}

fn push(field: &Field) -> TokenStream {
    let Field { name, wire, .. } = field;
    let pair = |value: TokenStream| {
        quote! {
            request.push(#wire.as_bytes());
            ::kv_client::ToArg::to_arg(#value, request);
        }
    };
    if field.optional {
        let pair = pair(quote!(value));
        quote! {
            if let ::core::option::Option::Some(value) = &self.#name {
                #pair
            }
        }
    } else {
        pair(quote!(&self.#name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(tokens: TokenStream) -> String {
        from_reply(tokens.clone()).map_or_else(
            |error| {
                assert!(to_args(tokens).is_err(), "both read the same attributes");
                error.to_string()
            },
            |code| panic!("this was not refused: {code}"),
        )
    }

    #[test]
    fn what_cannot_be_derived_says_why() {
        let kinds = [
            (
                quote!(
                    enum E {
                        A,
                    }
                ),
                "an enum",
            ),
            (
                quote!(
                    struct S;
                ),
                "a struct without fields",
            ),
            (
                quote!(
                    struct S(u32, u32);
                ),
                "a tuple",
            ),
            (quote!(union U { a: u32 }), "a union"),
        ];
        for (tokens, kind) in kinds {
            let text = refused(tokens);
            let expected = "`FromReply` can be derived for a struct with named fields, or with a single one; this is ";
            assert_eq!(text, format!("{expected}{kind}"));
        }
    }

    #[test]
    fn an_attribute_that_says_nothing_is_refused() {
        let text = refused(quote!(
            struct S {
                #[kv(renamed = "x")]
                a: u32,
            }
        ));
        assert_eq!(text, "expected `rename = \"...\"` or `default`");
        let text = refused(quote!(
            struct S {
                #[kv(rename = 7)]
                a: u32,
            }
        ));
        assert_eq!(text, "expected string literal");
        let text = refused(quote!(
            #[kv(default)]
            struct S {
                a: u32,
            }
        ));
        assert_eq!(text, "`kv` belongs on a field, not on the struct");
    }

    #[test]
    fn two_fields_of_one_name_are_refused() {
        let text = refused(quote!(
            struct S {
                a: u32,
                #[kv(rename = "a")]
                b: u32,
            }
        ));
        assert_eq!(text, "`a` has the name \"a\" already");
    }
}
