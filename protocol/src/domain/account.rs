//! Budgets as ledger accounts: what is spent, what is promised, what is left (CTR-020 to CTR-026).
//!
//! A parent's account pays for its own invocations and for every contract beneath it. A child's whole
//! ceiling is held at the parent from the moment it is finalized, so siblings can never add up to
//! more than their parent has; when the child ends, what it did not use comes back, once.

use crate::{
    capability::{Amount, Budget, Window},
    ledger::LeafIndex,
    time::Timestamp,
};

use super::{event::Balance, snapshot::kept};

/// The account of one link of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    budget: Budget,
    balance: Balance,
    /// What the parent's account holds for this one.
    held: Amount,
    /// The number of the current window since the epoch, and what was used in it.
    window: (u64, Amount),
    /// The last leaf that changed it.
    last_leaf: LeafIndex,
}

kept!(Account { budget, balance, held, window, last_leaf });

impl Account {
    /// A full account.
    pub(super) fn open(budget: Budget, leaf: LeafIndex) -> Self {
        let balance = Balance { settled: Amount::ZERO, open: Amount::ZERO, delegated: Amount::ZERO };
        let held = budget.ceiling;
        Self { budget, balance, held, window: (0, Amount::ZERO), last_leaf: leaf }
    }

    /// The account of whoever takes over from this one, which has ended: what was available to it, and no
    /// more. What it has spent, reserved or handed on stays its own.
    pub(super) fn succeeded(&self, leaf: LeafIndex) -> Self {
        let budget = Budget { ceiling: self.available(), ..self.budget.clone() };
        Self { window: self.window, ..Self::open(budget, leaf) }
    }

    /// The budget that both signed; of a link that was rebound, with what was left as its ceiling.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What is spent and promised now.
    pub fn balance(&self) -> &Balance {
        &self.balance
    }

    /// What the parent holds for it.
    pub fn held(&self) -> Amount {
        self.held
    }

    /// The last leaf that changed it.
    pub fn last_leaf(&self) -> LeafIndex {
        self.last_leaf
    }

    /// What can still be promised.
    pub fn available(&self) -> Amount {
        self.committed().and_then(|committed| self.budget.ceiling.minus(committed)).unwrap_or_default()
    }

    /// Whether nothing is left and nothing can come back.
    pub fn is_exhausted(&self) -> bool {
        self.balance.settled == self.budget.ceiling
    }

    /// Whether the window at that time has room for so much.
    pub fn window_allows(&self, amount: Amount, now: Timestamp) -> bool {
        let Some(window) = &self.budget.window else { return true };
        self.used_in(window, now).plus(amount).is_some_and(|used| used <= window.ceiling)
    }

    /// The balance after reserving so much; `None` where it is not available.
    pub fn reserve(&self, amount: Amount) -> Option<Balance> {
        let open = self.balance.open.plus(amount)?;
        (amount <= self.available()).then(|| Balance { open, ..self.balance.clone() })
    }

    pub(super) fn set_balance(&mut self, balance: Balance, leaf: LeafIndex) {
        (self.balance, self.last_leaf) = (balance, leaf);
    }

    /// Counts so much in the window at that time.
    pub(super) fn use_window(&mut self, amount: Amount, now: Timestamp) {
        if let Some(window) = self.budget.window.clone() {
            let used = self.used_in(&window, now).plus(amount).unwrap_or(window.ceiling);
            self.window = (number(&window, now), used);
        }
    }

    /// Settles what was reserved for one invocation; what it did not cost is available again.
    pub(super) fn settle(&mut self, reserved: Amount, cost: Amount, leaf: LeafIndex) {
        let balance = &mut self.balance;
        balance.open = balance.open.minus(reserved).unwrap_or_default();
        balance.settled = balance.settled.plus(cost.min(reserved)).unwrap_or(self.budget.ceiling);
        self.last_leaf = leaf;
    }

    /// Holds a new child's whole ceiling.
    pub(super) fn delegate(&mut self, ceiling: Amount, leaf: LeafIndex) {
        let delegated = self.balance.delegated.plus(ceiling).unwrap_or(self.budget.ceiling);
        self.balance.delegated = delegated;
        self.last_leaf = leaf;
    }

    /// Takes back what a child gave up.
    pub(super) fn take_back(&mut self, amount: Amount, leaf: LeafIndex) {
        self.balance.delegated = self.balance.delegated.minus(amount).unwrap_or_default();
        self.last_leaf = leaf;
    }

    /// What the account would give up if it ended now and its children gave so much back before.
    pub(super) fn would_give_up(&self, by_children: Amount) -> Amount {
        let mut account = self.clone();
        account.take_back(by_children, self.last_leaf);
        account.give_up()
    }

    /// Once it has ended, the account needs no more than is committed: gives up the rest and says
    /// how much that is. Calling it again gives up nothing more.
    pub(super) fn give_up(&mut self) -> Amount {
        let needed = self.committed().unwrap_or(self.held).min(self.held);
        let given = self.held.minus(needed).unwrap_or_default();
        self.held = needed;
        given
    }

    fn committed(&self) -> Option<Amount> {
        self.balance.settled.plus(self.balance.open)?.plus(self.balance.delegated)
    }

    fn used_in(&self, window: &Window, now: Timestamp) -> Amount {
        if self.window.0 == number(window, now) { self.window.1 } else { Amount::ZERO }
    }
}

fn number(window: &Window, now: Timestamp) -> u64 {
    now.as_millis().checked_div(window.length.as_millis()).unwrap_or(0)
}
