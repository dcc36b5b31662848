//! The state of a connection that commands change and that a new connection must be given again.

use bytes::Bytes;

use crate::class::Class;
use crate::config::Credentials;
use crate::connection::login::Login;
use crate::request::Request;

/// What is replayed on each new connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Session {
    /// The same one in all sessions of a client.
    pub(crate) login: Login,
    pub(crate) db: u32,
    pub(crate) name: Option<Bytes>,
}

/// What a command changes in the [`Session`] when it succeeds.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Select(u32),
    Auth(Credentials),
    SetName(Bytes),
}

impl Effect {
    /// The effect of SELECT, AUTH and CLIENT SETNAME; other commands have none.
    pub(crate) fn of(request: &Request) -> Option<Box<Self>> {
        if request.class() != Class::Session {
            return None;
        }
        let args: Vec<&[u8]> = request.args().collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let effect = match (request.name(), args.as_slice()) {
            ("SELECT", [db]) => Self::Select(std::str::from_utf8(db).ok()?.parse().ok()?),
            ("AUTH", [password]) => Self::Auth(Credentials::password(text(password))),
            ("AUTH", [user, password]) => Self::Auth(Credentials::new(text(user), text(password))),
            ("CLIENT", [setname, name]) if setname.eq_ignore_ascii_case(b"SETNAME") => {
                Self::SetName(Bytes::copy_from_slice(name))
            }
            _ => return None,
        };
        Some(Box::new(effect))
    }

    pub(crate) fn apply(self, session: &mut Session) {
        match self {
            Self::Select(db) => session.db = db,
            Self::Auth(credentials) => {
                session.login.replace(Some(credentials.into()));
            }
            Self::SetName(name) => session.name = Some(name),
        }
    }
}
