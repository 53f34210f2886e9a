//! The program's commands that end by themselves.

use std::ffi::OsStr;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// The program that these tests belong to.
pub const PROGRAM: &str = env!("CARGO_BIN_EXE_slugline");

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    /// Its stdout, if it ended well; else the test fails and shows it.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }
}

/// The program with an environment that has nothing of the caller's options in it.
pub fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SLUGLINE__") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command with these arguments.
pub fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ended {
    run_with(arguments, &[], "")
}

/// The same with an environment and a standard input.
pub fn run_with<S: AsRef<OsStr>>(
    arguments: impl IntoIterator<Item = S>,
    environment: &[(&str, &str)],
    stdin: &str,
) -> Ended {
    let mut command = command();
    command.args(arguments).envs(environment.iter().copied());
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A command that does not read has closed its end already.
    drop(child.stdin.take().unwrap().write_all(stdin.as_bytes()));
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command on a data folder.
pub fn on(data: &Path, arguments: &[&str]) -> Ended {
    let data = format!("data.dir={}", data.display());
    run(arguments.iter().copied().chain(["--set", &data]))
}
