//! Whether a guard stands. All do, save in the build with which `cargo xtask guards` shows that a
//! test notices when one does not.

#[cfg(all(feature = "guards-off", not(debug_assertions)))]
compile_error!("guards-off lets a caller's environment disarm the protocol: it is for tests alone");

/// Whether the guard that asks may refuse.
#[cfg(not(feature = "guards-off"))]
#[doc(hidden)]
#[inline(always)]
pub const fn guard_stands() -> bool {
    true
}

#[cfg(feature = "guards-off")]
pub use danger::guard_stands;
#[cfg(feature = "guards-off")]
pub(super) use danger::tell;

#[cfg(feature = "guards-off")]
mod danger {
    use std::{fs::OpenOptions, io::Write, panic::Location, sync::LazyLock, thread};

    /// The place, `file:line`, of the guard that is off.
    static OFF: LazyLock<Option<String>> = LazyLock::new(|| read("COUNTERSIGN_GUARD_OFF"));

    /// The file that hears of each refusal.
    static LOG: LazyLock<Option<String>> = LazyLock::new(|| read("COUNTERSIGN_GUARD_LOG"));

    #[expect(clippy::disallowed_methods, reason = "only tests are built so; each reads it once")]
    fn read(variable: &str) -> Option<String> {
        std::env::var(variable).ok()
    }

    /// Whether the guard that asks may refuse: not where the environment has it off.
    #[doc(hidden)]
    #[track_caller]
    pub fn guard_stands() -> bool {
        OFF.is_none() || *OFF != Some(place(Location::caller()))
    }

    /// Tells of a refusal, and of the test it was made in where that is the thread's name.
    pub(in crate::refusal) fn tell(caller: &Location<'_>) {
        let Some(log) = LOG.as_ref() else { return };
        let line = format!("{}\t{}\n", place(caller), thread::current().name().unwrap_or_default());
        let told = OpenOptions::new().append(true).create(true).open(log);
        let told = told.and_then(|mut log| log.write_all(line.as_bytes()));
        assert!(told.is_ok(), "{log} cannot be written: {told:?}");
    }

    fn place(caller: &Location<'_>) -> String {
        format!("{}:{}", caller.file(), caller.line())
    }
}
