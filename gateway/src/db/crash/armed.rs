//! `ASSAY_CRASH_AT=settle/before/3`: SIGKILL when a commit with a settlement is reached for the third time.

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::Moment;

/// Where, as the environment says.
#[derive(Debug)]
struct Aim {
    name: String,
    moment: Moment,
    /// How often it is still passed.
    left: AtomicU32,
}

pub(super) fn reach(name: &str, moment: Moment) {
    static AIM: OnceLock<Option<Aim>> = OnceLock::new();
    let aim = AIM.get_or_init(|| {
        let text = std::env::var("ASSAY_CRASH_AT").ok()?;
        Some(parse(&text).unwrap_or_else(|| panic!("ASSAY_CRASH_AT={text} names no crash point")))
    });
    if let Some(aim) = aim
        && (aim.name.as_str(), aim.moment) == (name, moment)
        && aim.left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        kill(Pid::this(), Signal::SIGKILL).expect("a process may kill itself");
        // The signal takes a moment; nothing may be done in it.
        loop {
            std::thread::park();
        }
    }
}

fn parse(text: &str) -> Option<Aim> {
    let mut words = text.split('/');
    let name = words.next()?.to_owned();
    let moment = match words.next()? {
        "before" => Moment::Before,
        "after" => Moment::After,
        _ => return None,
    };
    let left = AtomicU32::new(words.next()?.parse().ok().filter(|times| *times > 0)?);
    let known = ["hold", "checkpoint", "settle", "release"].contains(&name.as_str());
    (known && words.next().is_none()).then_some(Aim { name, moment, left })
}
