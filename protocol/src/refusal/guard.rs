//! Whether a guard stands, and who hears of it. All do, save in the build with which `cargo xtask
//! guards` shows that a test notices when one does not; nobody does, save in tests.

#[cfg(all(feature = "guards-told", not(debug_assertions)))]
compile_error!("a caller's environment would hear of refusals, or disarm them: it is for tests alone");

/// Whether the guard that asks may refuse.
#[cfg(not(feature = "guards-off"))]
#[doc(hidden)]
#[inline(always)]
pub const fn guard_stands() -> bool {
    true
}

#[cfg(feature = "guards-off")]
pub use danger::guard_stands;
#[cfg(feature = "guards-told")]
pub(super) use told::tell;

#[cfg(feature = "guards-told")]
mod told {
    use std::{
        collections::BTreeSet,
        fs::OpenOptions,
        io::Write,
        panic::Location,
        sync::{LazyLock, Mutex, PoisonError},
        thread,
    };

    /// The file that hears of refusals.
    static LOG: LazyLock<Option<String>> = LazyLock::new(|| read("COUNTERSIGN_GUARD_LOG"));

    /// What it has heard of already.
    static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

    #[expect(clippy::disallowed_methods, reason = "only tests are built so; each reads it once")]
    pub(super) fn read(variable: &str) -> Option<String> {
        std::env::var(variable).ok()
    }

    /// Tells of a refusal, and of the test it was made in where that is the thread's name; once.
    pub(in crate::refusal) fn tell(caller: &Location<'_>) {
        let Some(log) = LOG.as_ref() else { return };
        let line = format!("{}\t{}\n", place(caller), thread::current().name().unwrap_or_default());
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.contains(&line) {
            return;
        }
        let written = OpenOptions::new().append(true).create(true).open(log);
        let written = written.and_then(|mut log| log.write_all(line.as_bytes()));
        assert!(written.is_ok(), "{log} cannot be written: {written:?}");
        told.insert(line);
    }

    pub(super) fn place(caller: &Location<'_>) -> String {
        format!("{}:{}", caller.file(), caller.line())
    }
}

#[cfg(feature = "guards-off")]
mod danger {
    use std::{panic::Location, sync::LazyLock};

    use super::told::{place, read};

    /// The place, `file:line`, of the guard that is off.
    static OFF: LazyLock<Option<String>> = LazyLock::new(|| read("COUNTERSIGN_GUARD_OFF"));

    /// Whether the guard that asks may refuse: not where the environment has it off.
    #[doc(hidden)]
    #[track_caller]
    pub fn guard_stands() -> bool {
        OFF.is_none() || *OFF != Some(place(Location::caller()))
    }
}
