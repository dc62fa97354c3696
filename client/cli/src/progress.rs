//! How far long work has come: on standard error, and only if a person watches.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often it is drawn anew.
const TICK: Duration = Duration::from_millis(100);

/// A bar on a terminal, and nothing anywhere else.
#[derive(Debug)]
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// Of so many steps, each of which is one of those things.
    pub(crate) fn of(steps: u64, things: &'static str, is_watched: bool) -> Self {
        if !is_watched {
            return Self(ProgressBar::hidden());
        }
        let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr());
        let bar = bar.with_style(style).with_message(things);
        bar.enable_steady_tick(TICK);
        Self(bar)
    }

    /// So many more are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.0.inc(steps);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
