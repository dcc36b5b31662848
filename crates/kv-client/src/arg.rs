//! What can be an argument of a command: [`ToArg`] is exactly one, [`ToArgs`] any number.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;

use bytes::Bytes;

use crate::request::Request;

/// A value that is one argument: text, bytes or a number.
///
/// `Vec<u8>` and `[u8; N]` are always one binary argument and never a list of numbers; a single `u8` is a number.
///
/// ```
/// use kv_client::{Request, ToArg};
///
/// struct UserId(u32);
///
/// impl ToArg for UserId {
///     fn to_arg(&self, request: &mut Request) {
///         request.push(format!("user:{}", self.0).as_bytes());
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not one argument of a command",
    label = "does not implement `ToArg`",
    note = "text, bytes and numbers are; whatever else is meant has to be written as one of them"
)]
pub trait ToArg {
    /// Appends the one argument to `request`.
    fn to_arg(&self, request: &mut Request);
}

/// Values that are any number of arguments: one [`ToArg`], a list of them, or the pairs of a map.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a list of arguments of a command",
    label = "does not implement `ToArgs`",
    note = "text, bytes, numbers, and lists, maps, tuples and options of them are; a struct can derive it, with the feature `derive` of kv-client"
)]
pub trait ToArgs {
    /// Appends the arguments to `request`.
    fn to_args(&self, request: &mut Request);

    /// About how many bytes they take on the wire; of a list, if all are like the first.
    #[doc(hidden)]
    fn likely_len(&self) -> usize {
        SHORT
    }

    /// Appends all arguments of a list of these.
    #[doc(hidden)]
    fn list_to_args(list: &[Self], request: &mut Request)
    where
        Self: Sized,
    {
        for arg in list {
            arg.to_args(request);
        }
    }

    /// The same for a list of these.
    #[doc(hidden)]
    fn list_likely_len(list: &[Self]) -> usize
    where
        Self: Sized,
    {
        let first = list.first();
        first.map_or(0, |first| first.likely_len().saturating_mul(list.len()))
    }
}

/// A number, or what a string has besides its bytes: header and line ends.
const SHORT: usize = 16;

impl<T: ToArg + ?Sized> ToArg for &T {
    fn to_arg(&self, request: &mut Request) {
        (**self).to_arg(request);
    }
}

impl ToArg for Bytes {
    /// A long value is not copied: the request shares it.
    fn to_arg(&self, request: &mut Request) {
        request.push_shared(self);
    }
}

macro_rules! arg_from_bytes {
    ($($(#[$generics:tt])? $type:ty),+ $(,)?) => {$(
        impl ToArg for $type {
            fn to_arg(&self, request: &mut Request) {
                request.push(self.as_ref());
            }
        }
    )+};
}

arg_from_bytes!([u8], Vec<u8>, std::borrow::Cow<'_, [u8]>);

macro_rules! arg_from_text {
    ($($type:ty),+) => {$(
        impl ToArg for $type {
            fn to_arg(&self, request: &mut Request) {
                request.push(self.as_bytes());
            }
        }
    )+};
}

arg_from_text!(
    str,
    String,
    Box<str>,
    std::sync::Arc<str>,
    std::borrow::Cow<'_, str>
);

impl<const N: usize> ToArg for [u8; N] {
    fn to_arg(&self, request: &mut Request) {
        request.push(self);
    }
}

macro_rules! arg_from_integer {
    ($($type:ty),+) => {$(
        impl ToArg for $type {
            fn to_arg(&self, request: &mut Request) {
                request.push_i64(i64::from(*self));
            }
        }
    )+};
}

arg_from_integer!(i8, i16, i32, i64, u8, u16, u32);

macro_rules! arg_from_display {
    ($($type:ty),+) => {$(
        impl ToArg for $type {
            fn to_arg(&self, request: &mut Request) {
                request.push(self.to_string().as_bytes());
            }
        }
    )+};
}

arg_from_display!(u64, usize, isize, i128, u128);

impl ToArg for f64 {
    fn to_arg(&self, request: &mut Request) {
        request.push_f64(*self);
    }
}

impl ToArg for f32 {
    /// The shortest text that reads back as this `f32`.
    fn to_arg(&self, request: &mut Request) {
        request.push(self.to_string().as_bytes());
    }
}

macro_rules! args_from_arg {
    ($($type:ty $(=> $len:ident)?),+ $(,)?) => {$(
        impl ToArgs for $type {
            fn to_args(&self, request: &mut Request) {
                self.to_arg(request);
            }

            $(fn likely_len(&self) -> usize {
                SHORT + self.$len()
            })?
        }
    )+};
}

args_from_arg!(
    str => len,
    String => len,
    Box<str> => len,
    std::sync::Arc<str> => len,
    std::borrow::Cow<'_, str> => len,
    std::borrow::Cow<'_, [u8]> => len,
    Bytes => len,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    u16,
    u32,
    u64,
    u128,
    usize,
    f32,
    f64,
);

impl ToArgs for u8 {
    fn to_args(&self, request: &mut Request) {
        self.to_arg(request);
    }

    fn list_to_args(list: &[Self], request: &mut Request) {
        list.to_arg(request);
    }

    fn list_likely_len(list: &[Self]) -> usize {
        SHORT + list.len()
    }
}

impl<T: ToArgs + ?Sized> ToArgs for &T {
    fn to_args(&self, request: &mut Request) {
        (**self).to_args(request);
    }

    fn likely_len(&self) -> usize {
        (**self).likely_len()
    }
}

impl ToArgs for () {
    fn to_args(&self, _request: &mut Request) {}
}

impl<T: ToArgs> ToArgs for Option<T> {
    /// `None` is no argument at all.
    fn to_args(&self, request: &mut Request) {
        if let Some(arg) = self {
            arg.to_args(request);
        }
    }
}

macro_rules! args_from_slice {
    ($([$($generics:tt)*] $type:ty),+ $(,)?) => {$(
        impl<T: ToArgs, $($generics)*> ToArgs for $type {
            fn to_args(&self, request: &mut Request) {
                T::list_to_args(self, request);
            }

            fn likely_len(&self) -> usize {
                T::list_likely_len(self)
            }
        }
    )+};
}

args_from_slice!([] [T], [] Vec<T>, [const N: usize] [T; N]);

macro_rules! args_from_set {
    ($([$($generics:tt)*] $type:ty),+ $(,)?) => {$(
        impl<T: ToArgs, $($generics)*> ToArgs for $type {
            fn to_args(&self, request: &mut Request) {
                for arg in self {
                    arg.to_args(request);
                }
            }

            fn likely_len(&self) -> usize {
                let first = self.iter().next();
                first.map_or(0, |first| first.likely_len().saturating_mul(self.len()))
            }
        }
    )+};
}

args_from_set!([] BTreeSet<T>, [S: BuildHasher] HashSet<T, S>);

impl<K: ToArg, V: ToArg> ToArgs for BTreeMap<K, V> {
    fn to_args(&self, request: &mut Request) {
        for (key, value) in self {
            key.to_arg(request);
            value.to_arg(request);
        }
    }
}

impl<K: ToArg, V: ToArg, S: BuildHasher> ToArgs for HashMap<K, V, S> {
    fn to_args(&self, request: &mut Request) {
        for (key, value) in self {
            key.to_arg(request);
            value.to_arg(request);
        }
    }
}

macro_rules! args_from_tuple {
    ($(($($name:ident),+)),+) => {$(
        impl<$($name: ToArgs),+> ToArgs for ($($name,)+) {
            fn to_args(&self, request: &mut Request) {
                #[allow(non_snake_case, reason = "the type parameters name the fields too")]
                let ($($name,)+) = self;
                $($name.to_args(request);)+
            }

            fn likely_len(&self) -> usize {
                #[allow(non_snake_case, reason = "the type parameters name the fields too")]
                let ($($name,)+) = self;
                0 $(+ $name.likely_len())+
            }
        }
    )+};
}

args_from_tuple!(
    (A),
    (A, B),
    (A, B, C),
    (A, B, C, D),
    (A, B, C, D, E),
    (A, B, C, D, E, F)
);

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(args: impl ToArgs) -> String {
        let mut request = Request::new("X");
        args.to_args(&mut request);
        String::from_utf8(request.to_vec()).unwrap()
    }

    #[test]
    fn a_binary_value_is_one_argument_and_a_list_is_many() {
        assert_eq!(wire(vec![1u8, 2]), "*2\r\n$1\r\nX\r\n$2\r\n\x01\x02\r\n");
        assert_eq!(wire(*b"ab"), "*2\r\n$1\r\nX\r\n$2\r\nab\r\n");
        assert_eq!(wire(&b"ab"[..]), "*2\r\n$1\r\nX\r\n$2\r\nab\r\n");
        assert_eq!(
            wire([b"ab".to_vec(), Vec::new()]),
            "*3\r\n$1\r\nX\r\n$2\r\nab\r\n$0\r\n\r\n"
        );
        assert_eq!(
            wire(("f", 200u8)),
            "*3\r\n$1\r\nX\r\n$1\r\nf\r\n$3\r\n200\r\n"
        );
        assert_eq!(
            wire(vec!["a", "b"]),
            "*3\r\n$1\r\nX\r\n$1\r\na\r\n$1\r\nb\r\n"
        );
        assert_eq!(
            wire([("f", 1), ("g", -2)]),
            "*5\r\n$1\r\nX\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\ng\r\n$2\r\n-2\r\n"
        );
    }

    #[test]
    fn the_widest_numbers_keep_every_digit() {
        assert_eq!(
            wire(u64::MAX),
            "*2\r\n$1\r\nX\r\n$20\r\n18446744073709551615\r\n"
        );
        assert_eq!(
            wire(i64::MIN),
            "*2\r\n$1\r\nX\r\n$20\r\n-9223372036854775808\r\n"
        );
        assert_eq!(wire(0.1f32), "*2\r\n$1\r\nX\r\n$3\r\n0.1\r\n");
    }

    #[test]
    fn none_is_no_argument() {
        assert_eq!(wire(None::<&str>), "*1\r\n$1\r\nX\r\n");
    }
}
