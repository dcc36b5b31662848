//! Which arguments of a command nobody else may see: passwords, in MONITOR and in the slow log.

use crate::config::params;

/// What stands in the place of a secret argument.
pub(crate) const REDACTED: &[u8] = b"(redacted)";

/// The arguments as others may see them; `name` is the row's full name, in lower case.
pub(crate) fn without_secrets<'a>(
    name: &str,
    args: impl Iterator<Item = &'a [u8]>,
) -> Vec<&'a [u8]> {
    let mut args: Vec<&[u8]> = args.collect();
    let from = match name {
        "auth" => 1,
        "acl|setuser" | "acl|getuser" | "acl|deluser" => 2,
        "hello" => {
            // A name may be `auth` too, so that which of the words stands before the password takes a closer look.
            let is_auth = |arg: &&[u8]| arg.eq_ignore_ascii_case(b"AUTH");
            let auths: Vec<_> = (0..args.len()).filter(|&at| is_auth(&args[at])).collect();
            for at in auths {
                args.iter_mut()
                    .skip(at + 1)
                    .take(2)
                    .for_each(|arg| *arg = REDACTED);
            }
            return args;
        }
        "config|set" => {
            for pair in args.get_mut(2..).unwrap_or_default().chunks_exact_mut(2) {
                if params::is_secret(pair[0]) {
                    pair[1] = REDACTED;
                }
            }
            return args;
        }
        _ => return args,
    };
    args.iter_mut().skip(from).for_each(|arg| *arg = REDACTED);
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(name: &str, words: &str) -> String {
        let args = without_secrets(name, words.split(' ').map(str::as_bytes));
        let words: Vec<_> = args
            .into_iter()
            .map(|arg| String::from_utf8_lossy(arg))
            .collect();
        words.join(" ")
    }

    #[test]
    fn passwords_are_left_out_and_nothing_else() {
        for (name, words, expected) in [
            ("auth", "AUTH secret", "AUTH (redacted)"),
            ("auth", "auth me secret", "auth (redacted) (redacted)"),
            (
                "hello",
                "hello 3 auth me secret setname x",
                "hello 3 auth (redacted) (redacted) setname x",
            ),
            (
                "hello",
                "hello 3 setname auth auth me secret",
                "hello 3 setname auth (redacted) (redacted) (redacted)",
            ),
            ("hello", "hello 3", "hello 3"),
            (
                "config|set",
                "config set hz 5 RequirePass x port 1",
                "config set hz 5 RequirePass (redacted) port 1",
            ),
            (
                "acl|setuser",
                "acl setuser a b",
                "acl setuser (redacted) (redacted)",
            ),
            ("set", "set auth secret", "set auth secret"),
        ] {
            assert_eq!(shown(name, words), expected);
        }
    }
}
