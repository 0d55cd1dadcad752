//! Runs a command to its end, in the foreground.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, ensure};

use crate::{paths, poll, stop::Stop};

/// How often we look whether a command has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longer than any step takes.
const STEP_MAX: Duration = Duration::from_secs(4 * 3_600);

/// A cargo command in the repository.
pub(crate) fn cargo<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(paths::root());
    command
}

/// Whether this command is there and works.
pub(crate) fn works(command: &mut Command) -> bool {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Runs it; what it prints goes to the terminal.
///
/// # Errors
/// It cannot be started, it fails, or someone asks to stop: then it is killed.
pub(crate) fn run(command: &mut Command, stop: &Stop) -> anyhow::Result<()> {
    let mut child = start(command.stdin(Stdio::null()))?;
    check(wait(&mut child, stop)?, command)
}

/// Runs it like [`run`], and returns what it printed on stdout.
pub(crate) fn output(command: &mut Command, stop: &Stop) -> anyhow::Result<String> {
    let mut child = start(command.stdin(Stdio::null()).stdout(Stdio::piped()))?;
    let mut pipe = child.stdout.take().context("stdout was asked for")?;
    let reader = thread::spawn(move || {
        let mut text = String::new();
        pipe.read_to_string(&mut text).map(|_| text)
    });
    let status = wait(&mut child, stop)?;
    let text = reader.join().ok().context("the reader of stdout ends")?;
    check(status, command)?;
    text.context("what the command prints is text")
}

/// Runs it like [`run`], and returns the lines on stdout or stderr that `pick` wants.
pub(crate) fn run_and_pick(
    command: &mut Command,
    stop: &Stop,
    pick: fn(&str) -> bool,
) -> anyhow::Result<Vec<String>> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = start(command)?;
    let (picked, lines) = mpsc::channel();
    let out = forward(child.stdout.take(), pick, picked.clone(), |line| println!("{line}"));
    let err = forward(child.stderr.take(), pick, picked, |line| eprintln!("{line}"));
    let status = wait(&mut child, stop)?;
    let _ = (out.join(), err.join());
    check(status, command)?;
    Ok(lines.try_iter().collect())
}

fn forward(
    pipe: Option<impl Read + Send + 'static>,
    pick: fn(&str) -> bool,
    picked: mpsc::Sender<String>,
    show: fn(&str),
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            show(&line);
            if pick(&line) {
                let _ = picked.send(line.trim().to_owned());
            }
        }
    })
}

fn start(command: &mut Command) -> anyhow::Result<Child> {
    command.spawn().with_context(|| format!("cannot start {}", shown(command)))
}

fn wait(child: &mut Child, stop: &Stop) -> anyhow::Result<ExitStatus> {
    let ended = poll::until(STEP_MAX, LOOK_EVERY, stop, || Ok(child.try_wait()?));
    if !matches!(ended, Ok(Some(_))) {
        let _ = child.kill();
        let _ = child.wait();
    }
    ended?.context("the command takes hours")
}

fn check(status: ExitStatus, command: &Command) -> anyhow::Result<()> {
    ensure!(status.success(), "{} failed ({status})", shown(command));
    Ok(())
}

/// Its name and arguments; not its environment, which may hold secrets.
fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
