//! What was verified, one sentence each.

use serde::Serialize;

use crate::{
    table::{GOOD, Page},
    terminal::View,
};

/// Something, and what was verified of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct VerifiedView<T> {
    /// What.
    #[serde(flatten)]
    pub(crate) subject: T,
    /// What was verified. Empty means nothing.
    pub(crate) verified: Vec<String>,
}

impl<T: View> View for VerifiedView<T> {
    fn write(&self, page: &mut Page) {
        self.subject.write(page);
        page.heading("Verified");
        self.verified.iter().for_each(|sentence| page.marked(GOOD, "✓", sentence));
    }
}
