//! The circle of `cargo xtask demo --circle`, the very same: money in, answers paid for, a cheat told why not, money out.

use super::steps::Done;
use crate::{
    binaries::Binaries,
    demo::{Settings, World, pay_matures_at_once, play_circle},
    stop::Stop,
};

pub(super) fn run(binaries: &Binaries, stop: &Stop) -> anyhow::Result<Done> {
    let gateway_env = pay_matures_at_once();
    let settings = Settings { circle: true, gateway_env, ..Settings::default() };
    let world = World::start(&settings, binaries, stop)?;
    play_circle(&world, stop)?;
    world.end();
    Ok(Done::silently())
}
