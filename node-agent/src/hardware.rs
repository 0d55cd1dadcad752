//! What this machine is made of, for people to read: nothing is decided from it.

use std::{fs, num::NonZero, thread};

use assay_protocol::{Hardware, limits::NAME_BYTES_MAX};

/// Reads the processor's name, the number of cores and the first NVIDIA device, as far as they show.
pub fn read() -> Hardware {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = field(&cpuinfo, "model name").unwrap_or(std::env::consts::ARCH);
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Hardware {
        cpu: name(cpu),
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
        accelerator: nvidia_device(),
    }
}

/// The machine's name: what a node is called when nobody says otherwise.
pub fn host_name() -> String {
    let text = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name(text.trim()) {
        empty if empty.is_empty() => "node".to_owned(),
        host => host,
    }
}

/// At most [`NAME_BYTES_MAX`] bytes without control characters, as the wire wants its free texts.
pub(crate) fn name(text: &str) -> String {
    let mut short: String = text.chars().filter(|char| !char.is_control()).collect();
    short.truncate(short.floor_char_boundary(NAME_BYTES_MAX));
    short
}

fn nvidia_device() -> Option<String> {
    let device = fs::read_dir("/proc/driver/nvidia/gpus").ok()?.next()?.ok()?;
    let text = fs::read_to_string(device.path().join("information")).ok()?;
    field(&text, "Model").map(name)
}

/// The first `key : value` line's value.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        (found.trim() == key).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_is_found_among_its_fields() {
        let text = "processor\t: 0\nmodel\t\t: 1\nmodel name\t: A Chip @ 2 GHz\nmodel name\t: B\n";
        assert_eq!(field(text, "model name"), Some("A Chip @ 2 GHz"));
        assert_eq!(field(text, "absent"), None);
    }

    #[test]
    fn long_names_are_cut_between_characters() {
        assert_eq!(name(&"é".repeat(200)).len(), NAME_BYTES_MAX);
        assert_eq!(name("a\nb"), "ab");
    }
}
