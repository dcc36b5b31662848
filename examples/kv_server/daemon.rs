//! The process in the background: start, stop, restart, status, by a pid file that the running server keeps locked.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, setsid};

/// Set for a process that `start` has started: it leaves the terminal.
const BACKGROUND: &str = "KV_SERVER_BACKGROUND";

/// The lock on the pid file; as long as it is held, the server counts as running.
pub struct PidFile {
    _lock: Flock<File>,
    path: std::path::PathBuf,
}

impl PidFile {
    /// Writes the number of this process.
    pub fn create(path: &Path) -> io::Result<Self> {
        let file = open(path)?;
        let mut lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(
            |(_, errno)| match errno {
                Errno::EWOULDBLOCK => io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    format!("a server runs already, says {}", path.display()),
                ),
                errno => errno.into(),
            },
        )?;
        lock.set_len(0)?;
        writeln!(lock, "{}", std::process::id())?;
        Ok(Self {
            _lock: lock,
            path: path.to_owned(),
        })
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Before the lock goes: whoever waits for it then finds no file.
        let _ = fs::remove_file(&self.path);
    }
}

/// Runs this program again in the background, and returns when it accepts connections.
pub fn start(pid_file: &Path) -> io::Result<()> {
    if let Some(pid) = running(pid_file)? {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("a server runs already, process {pid}"),
        ));
    }
    let args: Vec<_> = env::args_os()
        .skip(1)
        .map(|arg| {
            if arg == "restart" {
                "start".into()
            } else {
                arg
            }
        })
        .collect();
    let mut child = Command::new(env::current_exe()?)
        .args(args)
        .env(BACKGROUND, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut ready = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut ready)?;
    }
    if ready.is_empty() {
        let mut error = String::new();
        if let Some(mut output) = child.stderr.take() {
            output.read_to_string(&mut error)?;
        }
        return Err(io::Error::other(error.trim().to_owned()));
    }
    print!("{ready}");
    Ok(())
}

/// Whether `start` has started this process; if so, it leaves the terminal.
pub fn enter_background() -> io::Result<bool> {
    if env::var_os(BACKGROUND).is_none() {
        return Ok(false);
    }
    setsid()?;
    Ok(true)
}

/// Asks the server to end, and waits until it has. `None` if none runs.
pub fn stop(pid_file: &Path) -> io::Result<Option<i32>> {
    let Some(pid) = running(pid_file)? else {
        return Ok(None);
    };
    kill(Pid::from_raw(pid), Signal::SIGTERM)?;
    // The server holds the lock to its end.
    match File::open(pid_file) {
        Ok(file) => drop(Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(Some(pid))
}

/// The number of the process that holds the lock.
pub fn running(pid_file: &Path) -> io::Result<Option<i32>> {
    let file = match File::open(pid_file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(_) => Ok(None), // left behind by a server that was killed
        Err((mut file, Errno::EWOULDBLOCK)) => {
            let mut text = String::new();
            file.rewind()?;
            file.read_to_string(&mut text)?;
            text.trim().parse().map(Some).map_err(|_| {
                io::Error::other(format!("{} holds no process number", pid_file.display()))
            })
        }
        Err((_, errno)) => Err(errno.into()),
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}
