//! The grammar of a command's arguments, read from the notation of the Redis documentation.
//!
//! `key value [NX | XX] [EX seconds | PX milliseconds]`, `key [key ...]`, `<MIN | MAX>`: words in capitals stand for themselves, others are names;
//! `[...]` is optional, `|` separates alternatives, and `x [x ...]` repeats. Two things more than in the documentation: `value:integer` says of
//! what kind an argument is where its name does not tell, and `pattern@1` to which of the key specifications it belongs.

/// One argument, as an entry of `arguments` in `COMMAND DOCS`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The word that stands in front of it, or that it consists of.
    pub(crate) token: Option<String>,
    pub(crate) optional: bool,
    pub(crate) multiple: bool,
    /// The token comes again with each.
    pub(crate) repeats_token: bool,
    /// The key specification that it belongs to, where that is not the next.
    pub(crate) key_spec: Option<u8>,
    /// Alternatives, or the parts of a block.
    pub(crate) children: Vec<Self>,
}

/// What an argument is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    String,
    Integer,
    Double,
    Key,
    Pattern,
    UnixTime,
    PureToken,
    OneOf,
    Block,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Integer => "integer",
            Self::Double => "double",
            Self::Key => "key",
            Self::Pattern => "pattern",
            Self::UnixTime => "unix-time",
            Self::PureToken => "pure-token",
            Self::OneOf => "oneof",
            Self::Block => "block",
        }
    }

    /// The kind that a row gives.
    fn named(name: &str) -> Option<Self> {
        let kinds = [Self::String, Self::Integer, Self::Double, Self::Key];
        kinds.into_iter().find(|kind| kind.name() == name)
    }

    /// By the name of the argument, which the documentation chooses with care.
    fn of(name: &str) -> Self {
        match name {
            "key" | "source" | "destination" | "newkey" | "key1" | "key2" => Self::Key,
            "pattern" => Self::Pattern,
            "seconds" | "milliseconds" | "count" | "index" | "start" | "stop" | "end"
            | "offset" | "ttl" | "frequency" | "decrement" | "cursor" | "numfields" | "numkeys"
            | "db" | "index1" | "index2" | "destination-db" | "port" | "protover" | "client-id"
            | "rank" | "num-matches" | "len" | "min-match-len" | "element-index" | "timeout-ms" => {
                Self::Integer
            }
            "timeout" | "score" | "double" | "float-increment" => Self::Double,
            _ if name.starts_with("unix-time") => Self::UnixTime,
            "increment" => Self::Integer,
            _ => Self::String,
        }
    }
}

/// The arguments that a line describes.
pub(crate) fn parse(syntax: &str) -> Vec<Argument> {
    let mut words = Words { rest: syntax };
    let alternatives = alternatives(&mut words);
    debug_assert!(
        words.rest.trim().is_empty(),
        "unbalanced brackets in {syntax:?}"
    );
    alternatives.into_iter().next().unwrap_or_default()
}

struct Words<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    /// A bracket, a bar, or a word.
    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.trim_start();
        let special = |c: char| matches!(c, '[' | ']' | '<' | '>' | '|');
        let first = rest.chars().next()?;
        let end = if special(first) {
            1
        } else {
            rest.find(|c: char| special(c) || c == ' ')
                .unwrap_or(rest.len())
        };
        let (word, left) = rest.split_at(end);
        self.rest = left;
        Some(word)
    }
}

/// Sequences separated by bars, up to the closing bracket.
fn alternatives(words: &mut Words<'_>) -> Vec<Vec<Argument>> {
    let mut found = vec![Vec::new()];
    while let Some(word) = words.next() {
        match word {
            "|" => found.push(Vec::new()),
            "]" | ">" => break,
            _ => {
                if let Some(sequence) = found.last_mut() {
                    item(word, words, sequence);
                }
            }
        }
    }
    for sequence in &mut found {
        join_tokens(sequence);
    }
    found
}

fn item(word: &str, words: &mut Words<'_>, sequence: &mut Vec<Argument>) {
    match word {
        "[" | "<" => {
            let before = words.rest;
            let inner = alternatives(words);
            // Without its own closing bracket; an inner group that ends here keeps its.
            let text = before[..before.len() - words.rest.len()].trim_end();
            let text = text.strip_suffix([']', '>']).unwrap_or(text).trim_end();
            if let Some(repeated) = text.strip_suffix("...") {
                repeat(sequence, repeated);
                return;
            }
            let mut argument = one_of(inner);
            argument.optional = word == "[";
            sequence.push(argument);
        }
        "..." => {}
        _ => sequence.push(plain(word)),
    }
}

/// The last arguments may come again, as many as there are words here.
fn repeat(sequence: &mut Vec<Argument>, words: &str) {
    join_tokens(sequence);
    let count = words.split_whitespace().count();
    // There is always something: a container without arguments would make redis-cli crash.
    let count = count.max(1);
    debug_assert!(!sequence.is_empty(), "nothing stands before the dots");
    let parts = sequence.split_off(sequence.len().saturating_sub(count));
    let mut repeated = block(parts);
    repeated.multiple = true;
    repeated.repeats_token =
        repeated.token.is_some() && words.starts_with(|c: char| c.is_ascii_uppercase());
    sequence.push(repeated);
}

fn one_of(mut alternatives: Vec<Vec<Argument>>) -> Argument {
    if alternatives.len() == 1 {
        return block(alternatives.remove(0));
    }
    let children: Vec<_> = alternatives.into_iter().map(block).collect();
    let name = children
        .first()
        .map_or(String::new(), |child| format!("{}-choice", child.name));
    Argument {
        name,
        kind: Kind::OneOf,
        token: None,
        optional: false,
        multiple: false,
        repeats_token: false,
        key_spec: None,
        children,
    }
}

fn block(mut parts: Vec<Argument>) -> Argument {
    if parts.len() == 1 {
        return parts.remove(0);
    }
    // A block that begins with a word in capitals takes it as its token.
    let token = match parts.first() {
        Some(first) if first.kind == Kind::PureToken && !first.optional => parts.remove(0).token,
        _ => None,
    };
    let name = parts
        .iter()
        .map(|part| part.name.as_str())
        .collect::<Vec<_>>()
        .join("_");
    Argument {
        name,
        kind: Kind::Block,
        token,
        optional: false,
        multiple: false,
        repeats_token: false,
        key_spec: None,
        children: parts,
    }
}

fn plain(word: &str) -> Argument {
    let (word, key_spec) = match word.rsplit_once('@') {
        Some((word, number)) => (word, number.parse().ok()),
        None => (word, None),
    };
    let named = word.rsplit_once(':');
    let named = named.and_then(|(word, kind)| Some((word, Kind::named(kind)?)));
    let (word, known) = match named {
        Some((word, kind)) => (word, Some(kind)),
        None => (word, None),
    };
    let is_token = word.chars().any(|c| c.is_ascii_uppercase())
        && !word.chars().any(|c| c.is_ascii_lowercase());
    let is_symbol = word.chars().all(|c| !c.is_ascii_alphanumeric());
    let token = (is_token || is_symbol).then(|| word.to_owned());
    let kind = match token {
        Some(_) => Kind::PureToken,
        None => known.unwrap_or_else(|| Kind::of(word)),
    };
    Argument {
        name: word.to_ascii_lowercase(),
        kind,
        token,
        optional: false,
        multiple: false,
        repeats_token: false,
        key_spec,
        children: Vec::new(),
    }
}

/// `EX seconds` is one argument with a token, if nothing but that stands in an alternative.
fn join_tokens(sequence: &mut Vec<Argument>) {
    let [first, second] = &mut sequence[..] else {
        return;
    };
    if first.kind == Kind::PureToken
        && !first.optional
        && second.token.is_none()
        && !second.optional
    {
        second.token = first.token.take();
        sequence.remove(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A compact form to compare with.
    fn show(arguments: &[Argument]) -> String {
        let one = |argument: &Argument| {
            let token = argument
                .token
                .as_ref()
                .map(|token| format!("{token}:"))
                .unwrap_or_default();
            let inner = if argument.children.is_empty() {
                argument.name.clone()
            } else {
                format!("({})", show(&argument.children))
            };
            let marks = [
                (argument.optional, "?"),
                (argument.multiple, "*"),
                (argument.repeats_token, "*"),
            ];
            let marks: String = marks
                .iter()
                .filter(|(on, _)| *on)
                .map(|(_, mark)| *mark)
                .collect();
            format!("{token}{inner}/{}{marks}", argument.kind.name())
        };
        arguments.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_notation_of_the_documentation_becomes_arguments() {
        for (syntax, shown) in [
            ("", ""),
            ("key", "key/key"),
            ("key [key ...]", "key/key*"),
            ("key value [key value ...]", "(key/key value/string)/block*"),
            ("[message]", "message/string?"),
            ("key value:integer", "key/key value/integer"),
            (
                "[GET pattern@1 [GET pattern@1 ...]]",
                "GET:pattern/pattern?**",
            ),
            (
                "<STREAMS <key [key ...] id [id ...]>>",
                "STREAMS:(key/key* id/string*)/block",
            ),
            ("[name [name ...]]", "name/string?*"),
            ("[ID client-id [client-id ...]]", "ID:client-id/integer?*"),
            (
                "key [NX | XX] [GET]",
                "key/key (NX:nx/pure-token XX:xx/pure-token)/oneof? GET:get/pure-token?",
            ),
            (
                "key [EX seconds | KEEPTTL]",
                "key/key (EX:seconds/integer KEEPTTL:keepttl/pure-token)/oneof?",
            ),
            (
                "cursor [MATCH pattern] [COUNT count]",
                "cursor/integer MATCH:pattern/pattern? COUNT:count/integer?",
            ),
            (
                "numkeys key [key ...] <LEFT | RIGHT>",
                "numkeys/integer key/key* (LEFT:left/pure-token RIGHT:right/pure-token)/oneof",
            ),
            (
                "key [LIMIT offset count]",
                "key/key LIMIT:(offset/integer count/integer)/block?",
            ),
            (
                "[protover [AUTH username password] [SETNAME clientname]]",
                "(protover/integer AUTH:(username/string password/string)/block? SETNAME:clientname/string?)/block?",
            ),
        ] {
            assert_eq!(show(&parse(syntax)), shown, "{syntax}");
        }
    }
}
