//! The common-mode brakes of all models and classes: when independent owners of a class fail together, nobody is
//! put out for it until a person has looked.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use assay_verifier::{
    OwnerId,
    brake::{Brake, Checked},
};
use tracing::{error, info};

/// One brake for each model and class that was ever checked.
#[derive(Debug, Default)]
pub struct Brakes(Mutex<BTreeMap<Class, Held>>);

/// A model, and a class of hardware and runtime.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Class {
    pub model: String,
    pub class: String,
}

#[derive(Debug, Default)]
struct Held {
    brake: Brake,
    /// As it was last told.
    engaged_since_ms: Option<i64>,
}

/// A brake that is engaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engaged {
    pub class: Class,
    pub since_ms: i64,
}

impl Brakes {
    /// Adds the checks of one job; gives for each whether it is spared.
    pub fn record(&self, checks: &[(Class, OwnerId, Checked)], now_ms: i64) -> Vec<bool> {
        let mut brakes = self.lock();
        for (class, owner, checked) in checks {
            let held = brakes.entry(class.clone()).or_default();
            held.brake.record(*owner, *checked, now_ms);
            held.tell(class, now_ms);
        }
        let spared = checks.iter().map(|(class, _, checked)| {
            brakes.get(class).is_some_and(|held| held.brake.spares(*checked, now_ms))
        });
        spared.collect()
    }

    /// Whether some class of a model is under its brake: then every answer is checked, and nobody serves alone.
    pub fn is_engaged(&self, model: &str, now_ms: i64) -> bool {
        let brakes = self.lock();
        let mut of_model = brakes.iter().filter(|(class, _)| class.model == model);
        of_model.any(|(_, held)| held.brake.is_engaged(now_ms))
    }

    /// All that are engaged.
    pub fn engaged(&self, now_ms: i64) -> Vec<Engaged> {
        let mut brakes = self.lock();
        let engaged = brakes.iter_mut().filter_map(|(class, held)| {
            held.tell(class, now_ms);
            Some(Engaged { class: class.clone(), since_ms: held.engaged_since_ms? })
        });
        engaged.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Class, Held>> {
        // Nothing panics while it holds the lock; if it did, the map would still be whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// The alarm, when it changes.
    fn tell(&mut self, Class { model, class }: &Class, now_ms: i64) {
        let engaged = self.brake.is_engaged(now_ms);
        if engaged == self.engaged_since_ms.is_some() {
            return;
        }
        self.engaged_since_ms = engaged.then_some(now_ms);
        let gauge = metrics::gauge!(
            "assay_common_mode_brake", "model" => model.clone(), "class" => class.clone()
        );
        gauge.set(if engaged { 1.0 } else { 0.0 });
        if engaged {
            error!(
                model,
                class,
                "independent owners fail together: no node of the class is put out; calibrate it"
            );
        } else {
            info!(model, class, "the common-mode brake is off again");
        }
    }
}
