//! What a reply can become: [`FromReply`] and its implementations.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{BuildHasher, Hash};

use bytes::Bytes;
use resp_codec::Frame;

use crate::error::ReplyError;
use crate::reply::{Part, Reply};

/// A type that a reply can be turned into, with [`Command::into`](crate::Command::into).
///
/// ```
/// use kv_client::{FromReply, Reply, ReplyError};
///
/// struct Celsius(f64);
///
/// impl FromReply for Celsius {
///     fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
///         f64::from_reply(reply).map(Celsius)
///     }
/// }
///
/// # async fn example(client: kv_client::Client) -> kv_client::Result<()> {
/// let oven: Celsius = client.get("oven").into().await?;
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "a reply cannot be turned into `{Self}`",
    label = "does not implement `FromReply`",
    note = "a struct can derive it, with the feature `derive` of kv-client"
)]
pub trait FromReply: Sized {
    /// Turns a reply, which is not an error, into this type.
    ///
    /// # Errors
    ///
    /// When the reply has another shape; [`Reply::mismatch`] words it.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError>;

    /// This, or `None` for null.
    #[doc(hidden)]
    fn option_from_reply(reply: Reply) -> Result<Option<Self>, ReplyError> {
        match reply {
            Reply::Null => Ok(None),
            reply => Self::from_reply(reply).map(Some),
        }
    }

    /// Turns an element of an aggregate, which is not an error, into this type, without making a reply of it first where
    /// that is easy.
    #[doc(hidden)]
    fn from_element(element: Part<'_>) -> Result<Self, ReplyError> {
        Self::from_reply(element.into_reply())
    }

    /// A list of these. Pairs may come as lists of two, one after the other, or as a map.
    #[doc(hidden)]
    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, ReplyError> {
        list(reply)
    }

    /// A list of these with nulls in it.
    #[doc(hidden)]
    fn options_from_reply(reply: Reply) -> Result<Vec<Option<Self>>, ReplyError> {
        list(reply)
    }

    /// The same, of an element of an aggregate.
    #[doc(hidden)]
    fn list_from_element(element: Part<'_>) -> Result<Vec<Self>, ReplyError> {
        Self::list_from_reply(element.into_reply())
    }
}

/// One element after the other.
fn list<T: FromReply>(reply: Reply) -> Result<Vec<T>, ReplyError> {
    let mut list = Vec::with_capacity(capacity(&reply));
    for_each(reply, "a list", |element| {
        list.push(T::from_element(element)?);
        Ok(())
    })?;
    Ok(list)
}

impl FromReply for Reply {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        Ok(reply)
    }
}

impl FromReply for Frame {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        Ok(reply.into())
    }
}

impl FromReply for () {
    /// Whatever the reply is, unless it is an error.
    fn from_reply(_reply: Reply) -> Result<Self, ReplyError> {
        Ok(())
    }
}

impl FromReply for bool {
    /// A boolean, the numbers 1 and 0, the status `OK` (true) and null (false).
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        match reply {
            Reply::Boolean(flag) => Ok(flag),
            Reply::Integer(0) | Reply::Null => Ok(false),
            Reply::Integer(1) => Ok(true),
            reply if reply.is_ok() => Ok(true),
            reply => Err(reply.mismatch("a boolean")),
        }
    }
}

macro_rules! integer_from_reply {
    ($($type:ty),+) => {$(
        impl FromReply for $type {
            /// A number, or a string that holds one. A double if it is whole: RESP2 sends it as the text of an integer.
            fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
                const EXPECTED: &str = concat!("an integer (", stringify!($type), ")");
                match &reply {
                    Reply::Integer(number) => Self::try_from(*number).ok(),
                    Reply::Double(number) => whole(*number).and_then(|number| Self::try_from(number).ok()),
                    reply => reply.as_bytes().and_then(|text| std::str::from_utf8(text).ok()?.parse().ok()),
                }
                .ok_or_else(|| reply.mismatch(EXPECTED))
            }
        }
    )+};
}

integer_from_reply!(i8, i16, i32, i64, i128, isize, u16, u32, u64, u128, usize);

/// The same number as an integer, if it is one that a double holds exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "checked to be whole and in range"
    )]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

macro_rules! float_from_reply {
    ($($type:ty),+) => {$(
        impl FromReply for $type {
            /// A double, an integer, or a string that holds a number. What is too large for this type is an error.
            #[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_lossless, reason = "asked for by the caller")]
            fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
                let text = reply.as_bytes().and_then(|text| std::str::from_utf8(text).ok());
                let (number, is_finite) = match &reply {
                    Reply::Double(number) => (Some(*number as $type), number.is_finite()),
                    Reply::Integer(number) => (Some(*number as $type), true),
                    // Infinity has a name.
                    _ => (text.and_then(|text| text.parse().ok()), text.is_some_and(|text| text.contains(|c: char| c.is_ascii_digit()))),
                };
                number
                    .filter(|number: &$type| number.is_finite() || !is_finite)
                    .ok_or_else(|| reply.mismatch(concat!("a number (", stringify!($type), ")")))
            }
        }
    )+};
}

float_from_reply!(f32, f64);

impl FromReply for Bytes {
    /// A string or a status; a number as its decimal text.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        match reply {
            Reply::Simple(bytes) | Reply::Bulk(bytes) | Reply::BigNumber(bytes) => Ok(bytes),
            Reply::Integer(number) => Ok(number.to_string().into()),
            Reply::Double(number) => Ok(number.to_string().into()),
            reply => Err(reply.mismatch("a string")),
        }
    }

    #[inline]
    fn from_element(element: Part<'_>) -> Result<Self, ReplyError> {
        match element.to_bulk() {
            Some(bytes) => Ok(bytes),
            None => Self::from_reply(element.into_reply()),
        }
    }

    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, ReplyError> {
        reply.bulks(|bulk| bulk).map_or_else(|| list(reply), Ok)
    }

    fn options_from_reply(reply: Reply) -> Result<Vec<Option<Self>>, ReplyError> {
        reply.bulks(Some).map_or_else(|| list(reply), Ok)
    }
}

impl FromReply for u8 {
    /// As the other integers. A `Vec<u8>` is binary data, as [`Bytes`] is, and not a list of numbers.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let number = u16::from_reply(reply.clone()).ok();
        let number = number.and_then(|number| Self::try_from(number).ok());
        number.ok_or_else(|| reply.mismatch("an integer (u8)"))
    }

    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, ReplyError> {
        Bytes::from_reply(reply).map(Vec::from)
    }

    fn list_from_element(element: Part<'_>) -> Result<Vec<Self>, ReplyError> {
        match element.as_bulk() {
            Some(bytes) => Ok(bytes.to_vec()),
            None => Self::list_from_reply(element.into_reply()),
        }
    }
}

impl FromReply for String {
    /// As for [`Bytes`], if it is UTF-8.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        text(&Bytes::from_reply(reply)?)
    }

    fn from_element(element: Part<'_>) -> Result<Self, ReplyError> {
        match element.as_bulk() {
            Some(bytes) => text(bytes),
            None => Self::from_reply(element.into_reply()),
        }
    }
}

fn text(bytes: &[u8]) -> Result<String, ReplyError> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| ReplyError::new("text in UTF-8", format!("other bytes: {error}")))?;
    Ok(text.to_owned())
}

impl<T: FromReply> FromReply for Option<T> {
    /// Null is `None`; for a struct with the derived `FromReply`, an empty map too.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        T::option_from_reply(reply)
    }

    #[inline]
    fn from_element(element: Part<'_>) -> Result<Self, ReplyError> {
        if element.is_bulk() {
            return T::from_element(element).map(Some);
        }
        if element.is_null() {
            return Ok(None);
        }
        T::option_from_reply(element.into_reply())
    }

    fn list_from_reply(reply: Reply) -> Result<Vec<Self>, ReplyError> {
        T::options_from_reply(reply)
    }
}

/// Feeds the elements of an aggregate to `each`; null counts as an empty one.
fn for_each(
    reply: Reply,
    expected: &'static str,
    mut each: impl FnMut(Part<'_>) -> Result<(), ReplyError>,
) -> Result<(), ReplyError> {
    match reply {
        Reply::Null => Ok(()),
        Reply::Array(elements)
        | Reply::Set(elements)
        | Reply::Map(elements)
        | Reply::Push(elements) => elements.try_for_each(|element| match element.error() {
            Some(error) => Err(ReplyError::new(
                expected,
                format!("the error {error} in it"),
            )),
            None => each(element),
        }),
        reply => Err(reply.mismatch(expected)),
    }
}

fn capacity(reply: &Reply) -> usize {
    match reply {
        Reply::Array(elements)
        | Reply::Set(elements)
        | Reply::Map(elements)
        | Reply::Push(elements) => elements.len(),
        _ => 0,
    }
}

impl<T: FromReply> FromReply for Vec<T> {
    /// A list; of pairs also a map, or keys and values in turn: what HGETALL and ZRANGE WITHSCORES give in either protocol.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        T::list_from_reply(reply)
    }

    fn from_element(element: Part<'_>) -> Result<Self, ReplyError> {
        T::list_from_element(element)
    }
}

impl<T: FromReply + Eq + Hash, S: BuildHasher + Default> FromReply for HashSet<T, S> {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut set = Self::with_capacity_and_hasher(capacity(&reply), S::default());
        for_each(reply, "a set", |element| {
            set.insert(T::from_element(element)?);
            Ok(())
        })?;
        Ok(set)
    }
}

impl<T: FromReply + Ord> FromReply for BTreeSet<T> {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut set = Self::new();
        for_each(reply, "a set", |element| {
            set.insert(T::from_element(element)?);
            Ok(())
        })?;
        Ok(set)
    }
}

/// Feeds keys and values to `each`: those of a map, of a flat list, or of a list of pairs.
fn for_each_pair<K: FromReply, V: FromReply>(
    reply: Reply,
    mut each: impl FnMut(K, V),
) -> Result<(), ReplyError> {
    const EXPECTED: &str = "a map";
    let mut key = None;
    for_each(reply, EXPECTED, |element| {
        if key.is_none() && element.is_array() {
            let (k, v) = <(K, V)>::from_element(element)?;
            each(k, v);
            return Ok(());
        }
        match key.take() {
            None => key = Some(K::from_element(element)?),
            Some(key) => each(key, V::from_element(element)?),
        }
        Ok(())
    })?;
    match key {
        Some(_) => Err(ReplyError::new(EXPECTED, "a key without a value")),
        None => Ok(()),
    }
}

impl<K: FromReply + Eq + Hash, V: FromReply, S: BuildHasher + Default> FromReply
    for HashMap<K, V, S>
{
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut map = Self::with_capacity_and_hasher(capacity(&reply) / 2, S::default());
        for_each_pair(reply, |key, value| {
            map.insert(key, value);
        })?;
        Ok(map)
    }
}

impl<K: FromReply + Ord, V: FromReply> FromReply for BTreeMap<K, V> {
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let mut map = Self::new();
        for_each_pair(reply, |key, value| {
            map.insert(key, value);
        })?;
        Ok(map)
    }
}

impl<T: FromReply, const N: usize> FromReply for [T; N] {
    /// A list of exactly `N`.
    fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
        let list = Vec::<T>::from_reply(reply)?;
        let len = list.len();
        Self::try_from(list)
            .map_err(|_| ReplyError::new(format!("a list of {N}"), format!("one of {len}")))
    }
}

macro_rules! tuple_from_reply {
    ($(($count:literal: $($name:ident),+ $(; $list:item)?)),+) => {$(
        impl<$($name: FromReply),+> FromReply for ($($name,)+) {
            /// A list of exactly as many elements.
            fn from_reply(reply: Reply) -> Result<Self, ReplyError> {
                const EXPECTED: &str = concat!("a list of ", $count);
                let elements = match reply {
                    Reply::Array(elements) | Reply::Set(elements) | Reply::Map(elements) | Reply::Push(elements) => elements,
                    reply => return Err(reply.mismatch(EXPECTED)),
                };
                if elements.len() != $count {
                    return Err(ReplyError::new(EXPECTED, format!("one of {}", elements.len())));
                }
                let mut elements = elements.iter();
                Ok(($($name::from_reply(elements.next().unwrap_or(Reply::Null))?,)+))
            }

            $($list)?
        }
    )+};
}

tuple_from_reply!(
    (1: A),
    (2: A, B; fn list_from_reply(reply: Reply) -> Result<Vec<Self>, ReplyError> {
        let mut pairs = Vec::with_capacity(capacity(&reply) / 2);
        for_each_pair(reply, |a, b| pairs.push((a, b)))?;
        Ok(pairs)
    }),
    (3: A, B, C),
    (4: A, B, C, D),
    (5: A, B, C, D, E),
    (6: A, B, C, D, E, F)
);

#[cfg(test)]
mod tests;
