//! What can be sent together, and what comes of it: [`Batch`].

use std::borrow::Cow;
use std::fmt;

use crate::command::{Command, Decode, Settings};
use crate::error::{Error, ErrorKind, Outcome, Result};
use crate::reply::Reply;
use crate::request::Request;

/// Several commands that can be sent together: a tuple of up to twelve, a `Vec` or an array of [`Command`]s.
///
/// What comes back has the same shape, with the type of each command in its place.
///
/// It is implemented for these only.
pub trait Batch: Sized + private::Sealed {
    /// The values, if all of the commands succeed.
    type Output;
    /// The result of each command.
    type Results;

    #[doc(hidden)]
    type Decoders: Send;

    /// Moves the commands to `parts`, and keeps what is needed to read their replies.
    #[doc(hidden)]
    fn split(self, parts: &mut Parts) -> Self::Decoders;

    #[doc(hidden)]
    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results;

    /// The values, or the first error.
    #[doc(hidden)]
    fn all(results: Self::Results) -> Result<Self::Output>;
}

mod private {
    #[expect(unnameable_types, reason = "nobody else is to implement it")]
    pub trait Sealed {}
}

/// The commands of a batch.
#[derive(Debug, Default)]
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Parts {
    pub(super) requests: Vec<Request>,
    pub(super) settings: Vec<Settings>,
}

/// The replies to a batch, one after the other.
#[derive(Debug)]
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Replies(pub(super) std::vec::IntoIter<Result<Reply>>);

impl Parts {
    fn push<T, O>(&mut self, command: Command<'_, T, O>) -> Named<T> {
        let name = command.request.clone_name();
        self.requests.push(command.request);
        self.settings.push(command.settings);
        Named {
            name,
            decode: command.decode,
        }
    }
}

/// How to read one reply, and whose it is.
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Named<T> {
    name: Cow<'static, str>,
    decode: Decode<T>,
}

impl<T> fmt::Debug for Named<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl<T> Named<T> {
    fn read(self, replies: &mut Replies) -> Result<T> {
        let closed = || Err(Error::new(ErrorKind::Closed, Outcome::NotSent));
        let value = match replies.0.next().unwrap_or_else(closed) {
            Ok(Reply::Error(error)) => Err(Error::server(error)),
            Ok(reply) => (self.decode)(reply).map_err(Error::reply),
            Err(error) => Err(error),
        };
        value.map_err(|error| {
            if error.command().is_some() {
                error
            } else {
                error.of(self.name)
            }
        })
    }
}

macro_rules! batch_of_tuple {
    ($(($($type:ident $options:ident $index:tt),+)),+ $(,)?) => {$(
        impl<$($type, $options),+> private::Sealed for ($(Command<'_, $type, $options>,)+) {}

        impl<$($type, $options),+> Batch for ($(Command<'_, $type, $options>,)+) {
            type Output = ($($type,)+);
            type Results = ($(Result<$type>,)+);
            type Decoders = ($(Named<$type>,)+);

            fn split(self, parts: &mut Parts) -> Self::Decoders {
                ($(parts.push(self.$index),)+)
            }

            fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results {
                ($(decoders.$index.read(replies),)+)
            }

            fn all(results: Self::Results) -> Result<Self::Output> {
                Ok(($(results.$index?,)+))
            }
        }
    )+};
}

batch_of_tuple!(
    (A OA 0),
    (A OA 0, B OB 1),
    (A OA 0, B OB 1, C OC 2),
    (A OA 0, B OB 1, C OC 2, D OD 3),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8, J OJ 9),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8, J OJ 9, K OK 10),
    (A OA 0, B OB 1, C OC 2, D OD 3, E OE 4, F OF 5, G OG 6, H OH 7, I OI 8, J OJ 9, K OK 10, L OL 11),
);

impl<T, O> private::Sealed for Vec<Command<'_, T, O>> {}

impl<T, O> Batch for Vec<Command<'_, T, O>> {
    type Output = Vec<T>;
    type Results = Vec<Result<T>>;
    type Decoders = Vec<Named<T>>;

    fn split(self, parts: &mut Parts) -> Self::Decoders {
        self.into_iter()
            .map(|command| parts.push(command))
            .collect()
    }

    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results {
        decoders
            .into_iter()
            .map(|decoder| decoder.read(replies))
            .collect()
    }

    fn all(results: Self::Results) -> Result<Self::Output> {
        results.into_iter().collect()
    }
}

impl<T, O, const N: usize> private::Sealed for [Command<'_, T, O>; N] {}

impl<T, O, const N: usize> Batch for [Command<'_, T, O>; N] {
    type Output = [T; N];
    type Results = [Result<T>; N];
    type Decoders = [Named<T>; N];

    fn split(self, parts: &mut Parts) -> Self::Decoders {
        self.map(|command| parts.push(command))
    }

    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results {
        decoders.map(|decoder| decoder.read(replies))
    }

    fn all(results: Self::Results) -> Result<Self::Output> {
        let mut failed = None;
        let values = results.map(|result| {
            result
                .map_err(|error| failed.get_or_insert(error).clone())
                .ok()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        #[expect(
            clippy::expect_used,
            reason = "an element that is missing has left its error above"
        )]
        Ok(values.map(|value| value.expect("every element succeeded")))
    }
}
