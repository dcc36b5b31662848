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
    type Decoders: Send + Unpin;

    /// Moves the commands to `parts`, and keeps what is needed to read their replies.
    #[doc(hidden)]
    fn split(self, parts: &mut Parts) -> Self::Decoders;

    #[doc(hidden)]
    fn each(decoders: Self::Decoders, replies: &mut Replies) -> Self::Results;

    /// The values, or the first error.
    #[doc(hidden)]
    fn all(decoders: Self::Decoders, replies: &mut Replies) -> Result<Self::Output>;
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
    /// Those of the commands that have settings of their own, in order.
    pub(super) settings: Vec<(usize, Settings)>,
}

/// The replies to a batch, one after the other.
#[derive(Debug, Default)]
#[doc(hidden)]
#[expect(unnameable_types, reason = "only `Batch` has to do with it")]
pub struct Replies {
    /// Of the first commands; all of them, if nothing went wrong.
    here: std::vec::IntoIter<Reply>,
    /// What became of the others.
    rest: std::vec::IntoIter<Result<Reply>>,
}

impl Replies {
    pub(super) fn new(here: Vec<Reply>, rest: Vec<Result<Reply>>) -> Self {
        Self {
            here: here.into_iter(),
            rest: rest.into_iter(),
        }
    }

    /// The same for each of so many commands.
    pub(super) fn failed(error: &Error, commands: usize) -> Self {
        let rest = (0..commands).map(|_| Err(error.clone())).collect();
        Self::new(Vec::new(), rest)
    }

    fn next(&mut self) -> Result<Reply> {
        if let Some(reply) = self.here.next() {
            return Ok(reply);
        }
        let closed = || Err(Error::new(ErrorKind::Closed, Outcome::NotSent));
        self.rest.next().unwrap_or_else(closed)
    }

    pub(super) fn first_error(&self) -> Option<Error> {
        let of_reply = |reply: &Reply| match reply {
            Reply::Error(error) => Some(Error::server(error.clone())),
            _ => None,
        };
        let mut rest = self.rest.as_slice().iter();
        self.here.as_slice().iter().find_map(of_reply).or_else(|| {
            rest.find_map(|result| {
                result
                    .as_ref()
                    .map_or_else(|error| Some(error.clone()), of_reply)
            })
        })
    }
}

impl Parts {
    fn push<T, O>(&mut self, command: Command<'_, T, O>) -> Named<T> {
        let name = command.request.clone_name();
        if command.settings != Settings::default() {
            self.settings.push((self.requests.len(), command.settings));
        }
        self.requests.push(command.request);
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
        let value = match replies.next() {
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

            fn all(decoders: Self::Decoders, replies: &mut Replies) -> Result<Self::Output> {
                Ok(($(decoders.$index.read(replies)?,)+))
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
        parts.requests.reserve(self.len());
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

    fn all(decoders: Self::Decoders, replies: &mut Replies) -> Result<Self::Output> {
        let mut values = Vec::with_capacity(decoders.len());
        for decoder in decoders {
            values.push(decoder.read(replies)?);
        }
        Ok(values)
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

    fn all(decoders: Self::Decoders, replies: &mut Replies) -> Result<Self::Output> {
        let mut failed = None;
        let values = decoders.map(|decoder| {
            let value = decoder.read(replies);
            value.map_err(|error| _ = failed.get_or_insert(error)).ok()
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
