//! The command line: redis-server's, plus `start | stop | restart | status`.

use std::io::Read;
use std::path::PathBuf;
use std::{env, fs, io};

use kv_server::{Builder, Command, Directive, Error, Flags, Keys, Server, directives};
use tracing::level_filters::LevelFilter;

/// What the program is asked to do.
#[derive(Debug)]
pub enum Action {
    /// Serve, in the foreground.
    Run,
    /// Serve in the background, and return when it accepts connections.
    Start,
    Stop,
    Restart,
    Status,
    Version,
    Help,
}

/// Settings of the process; those of the server are in `directives`.
#[derive(Debug)]
pub struct Options {
    pub action: Action,
    directives: Vec<Directive>,
    pub pid_file: Option<PathBuf>,
    pub log_file: Option<PathBuf>,
    pub log_level: LevelFilter,
    threads: usize,
    /// Whether the kernel keeps huge pages away from this process.
    pub disable_thp: bool,
}

pub const HELP: &str = "\
Usage: kv-server [/path/to/redis.conf] [--directive value ...]
       kv-server start [debug] | stop | restart | status   [--directive value ...]
       kv-server - (reads the configuration from standard input)
       kv-server -v | --version
       kv-server -h | --help

Directives are those of redis.conf that the server knows (CONFIG GET * lists them), and
  --daemonize yes|no     serve in the background
  --pidfile FILE         where start, stop, restart and status find the process
  --logfile FILE         log to this file instead of standard error
  --loglevel LEVEL       debug, verbose, notice (default), warning or nothing
  --disable-thp yes|no   no huge pages, which save some CPU time and cost memory and pauses (default yes)
  --io-threads N         threads that serve connections (default 1)

Examples:
  kv-server --port 7777 --requirepass secret
  kv-server /etc/redis.conf --loglevel verbose
  kv-server start --port 7777 --dir /var/lib/kv";

impl Options {
    pub fn parse() -> Result<Self, Error> {
        let mut args: Vec<String> = env::args().skip(1).collect();
        let mut options = Self {
            action: Action::Run,
            directives: vec![directive("port", &["6379"]), directive("dir", &["."])],
            disable_thp: true,
            pid_file: None,
            log_file: None,
            log_level: LevelFilter::INFO,
            threads: 1,
        };
        match args.first().map(String::as_str) {
            Some("-v" | "--version") => options.action = Action::Version,
            Some("-h" | "--help") => options.action = Action::Help,
            Some("stop") => options.action = Action::Stop,
            Some("restart") => options.action = Action::Restart,
            Some("status") => options.action = Action::Status,
            Some("start") if args.get(1).is_some_and(|word| word == "debug") => {
                drop(args.remove(0))
            }
            Some("start") => options.action = Action::Start,
            Some("-") => options.read(
                &io::read_to_string(io::stdin())
                    .map_err(|error| unreadable("standard input", &error))?,
            )?,
            Some(path) if !path.starts_with("--") => {
                let mut text = String::new();
                let read = fs::File::open(path).and_then(|mut file| file.read_to_string(&mut text));
                read.map_err(|error| unreadable(path, &error))?;
                options.read(&text)?;
            }
            _ => {}
        }
        if args.first().is_some_and(|first| !first.starts_with("--")) {
            args.remove(0);
        }
        for given in command_line(args)? {
            options.set(given)?;
        }
        if !options.directives.iter().any(|given| given.name == "save") {
            let points = directive("save", &["3600", "1", "300", "100", "60", "10000"]);
            options.directives.push(points);
        }
        Ok(options)
    }

    fn read(&mut self, text: &str) -> Result<(), Error> {
        directives(text)?
            .into_iter()
            .try_for_each(|given| self.set(given))
    }

    /// Takes what concerns the process; the rest goes to the server.
    fn set(&mut self, given: Directive) -> Result<(), Error> {
        let value = given
            .args
            .first()
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .unwrap_or_default();
        let invalid = || Error::Config(format!("{}: '{value}'", given.name));
        match given.name.as_str() {
            "daemonize" => match value.as_str() {
                "yes" if matches!(self.action, Action::Run) => self.action = Action::Start,
                "yes" => {}
                "no" if matches!(self.action, Action::Start) => self.action = Action::Run,
                "no" => {}
                _ => return Err(invalid()),
            },
            "pidfile" => self.pid_file = Some(value.into()),
            "logfile" => {
                self.log_file = Some(value).filter(|path| !path.is_empty()).map(Into::into)
            }
            "loglevel" => {
                self.log_level = match value.as_str() {
                    "debug" => LevelFilter::TRACE,
                    "verbose" => LevelFilter::DEBUG,
                    "notice" => LevelFilter::INFO,
                    "warning" => LevelFilter::WARN,
                    "nothing" => LevelFilter::OFF,
                    _ => return Err(invalid()),
                };
            }
            "disable-thp" => {
                self.disable_thp = match value.as_str() {
                    "yes" => true,
                    "no" => false,
                    _ => return Err(invalid()),
                };
            }
            "io-threads" => {
                self.threads = value
                    .parse()
                    .ok()
                    .filter(|threads| (1..=128).contains(threads))
                    .ok_or_else(invalid)?
            }
            _ => self.directives.push(given),
        }
        Ok(())
    }

    /// The server as the options describe it.
    pub fn builder(&self) -> Result<Builder, Error> {
        let builder = Server::builder().threads(self.threads).command(flush());
        self.directives.iter().try_fold(builder, |builder, given| {
            builder.directive(&given.name, &given.args)
        })
    }

    /// The file that names the running process.
    pub fn pid_file(&self) -> PathBuf {
        self.pid_file.clone().unwrap_or_else(|| {
            let port = self
                .directives
                .iter()
                .rfind(|given| given.name == "port")
                .map(|given| given.args.join(&b' '));
            let port = String::from_utf8_lossy(&port.unwrap_or_default()).into_owned();
            env::temp_dir().join(format!("kv-server-{port}.pid"))
        })
    }
}

/// `FLUSH`: FLUSHALL under the short name that some small servers have for it; Redis has no command of this name.
fn flush() -> Command {
    let flags = Flags::WRITE | Flags::CROSS_DB;
    Command::new("FLUSH", 1, flags, Keys::NONE, |_, cx| {
        let reply = cx.call(["FLUSHALL"])?;
        cx.reply().frame(&reply);
        Ok(())
    })
}

/// `--name value ...`: a directive goes on until the next word with two dashes.
fn command_line(args: Vec<String>) -> Result<Vec<Directive>, Error> {
    let mut found: Vec<Directive> = Vec::new();
    for arg in args {
        match (arg.strip_prefix("--"), found.last_mut()) {
            (Some(name), _) => found.push(directive(&name.to_lowercase(), &[])),
            (None, Some(last)) => last.args.push(arg.into_bytes()),
            (None, None) => return Err(Error::Config(format!("unexpected argument '{arg}'"))),
        }
    }
    Ok(found)
}

fn directive(name: &str, args: &[&str]) -> Directive {
    Directive {
        name: name.to_owned(),
        args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
    }
}

fn unreadable(what: &str, error: &io::Error) -> Error {
    Error::Config(format!("cannot read {what}: {error}"))
}
