//! Budgets, as sums over what there is: nothing is carried along, so nothing can drift.

use countersign_protocol::{digest::ChainId, time::Timestamp};

use super::{Model, Status};

/// What an account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Spent for good.
    pub settled: u64,
    /// Reserved for invocations under way.
    pub open: u64,
    /// Held for links beneath.
    pub delegated: u64,
}

impl Account {
    /// All of it.
    pub fn committed(&self) -> u64 {
        self.settled + self.open + self.delegated
    }
}

impl Model {
    /// The account of a link: its own invocations, and what each link beneath holds of it.
    pub fn account(&self, id: ChainId) -> Account {
        let uses = || self.uses.values().filter(|it| it.chain == id);
        let settled = uses().filter_map(|it| it.end).map(|(_, cost)| cost).sum();
        let open = uses().filter(|it| it.end.is_none()).map(|it| it.reserved).sum();
        let children = self.links.iter().filter(|(_, link)| link.parent == Some(id));
        let delegated = children.map(|(child, _)| self.held(*child)).sum();
        Account { settled, open, delegated }
    }

    /// What a link holds of the one above: all that it may use while it is in force, and what it has
    /// used or promised once it is not.
    pub fn held(&self, id: ChainId) -> u64 {
        let Some(link) = self.links.get(&id) else { return 0 };
        match link.status {
            Status::Active | Status::Suspended => link.ceiling,
            _ => self.account(id).committed(),
        }
    }

    /// Whether all of it is used or under way, and something is under way.
    pub fn is_on_the_brink(&self, id: ChainId) -> bool {
        let account = self.account(id);
        account.open > 0 && self.available(id) == 0
    }

    /// What can still be promised.
    pub fn available(&self, id: ChainId) -> u64 {
        let ceiling = self.links.get(&id).map_or(0, |link| link.ceiling);
        ceiling.saturating_sub(self.account(id).committed())
    }

    /// What the window at that time has been used for, by a link and all beneath it.
    pub fn used_in_window(&self, id: ChainId, now: Timestamp) -> u64 {
        let Some(window) = self.links.get(&id).and_then(|link| link.rights.budget.window.as_ref()) else {
            return 0;
        };
        let number = |at: Timestamp| at.as_millis() / window.length.as_millis();
        let beneath = self.beneath(id);
        let counted = self.uses.values().filter(|it| beneath.contains(&it.chain));
        let own: u64 = counted.filter(|it| number(it.at) == number(now)).map(|it| it.reserved).sum();
        // A window is not emptied by a restart.
        let before = self.links.get(&id).and_then(|link| link.before);
        own + before.map_or(0, |before| self.used_in_window(before, now))
    }

    /// Whether the window of every link on the path has room.
    pub fn windows_allow(&self, id: ChainId, amount: u64, now: Timestamp) -> bool {
        self.path(id).all(|(link, it)| {
            it.rights
                .budget
                .window
                .as_ref()
                .is_none_or(|window| self.used_in_window(link, now) + amount <= window.ceiling.get())
        })
    }
}
