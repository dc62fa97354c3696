//! The part of the configuration that decides: who is an admin, which grants are allowed.

use std::fmt::{self, Write as _};

use countersign_protocol::{
    digest::Digest,
    domain::{GrantRule, Policy},
    limits::{GRANT_MAX_MS, SVID_MAX_MS, SVID_MIN_MS},
    name::{PrincipalId, TrustDomain},
    settings::{LifetimeText, Scope, Section},
    time::{Lifetime, Timestamp},
};

use crate::limits::{ADMINS_MAX, GRANT_RULES_MAX};

/// Life of a certificate, unless something else is set: five minutes.
const SVID_LIFETIME: Lifetime = Lifetime::from_millis(5 * 60 * 1_000);

/// Life of a person's certificate, unless something else is set: as long as one may be.
const HUMAN_SVID_LIFETIME: Lifetime = Lifetime::from_millis(SVID_MAX_MS);

/// A policy and the one text that states it. The text's digest names the policy in the ledger.
#[derive(Clone, Debug)]
pub struct WrittenPolicy {
    policy: Policy,
    text: String,
}

impl WrittenPolicy {
    /// What decides.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn read(section: &mut Section<'_, '_>, domain: Option<&TrustDomain>) -> Option<Self> {
        let admins = section.list("admins").and_then(|admins| checked_admins(section, domain, admins));
        let svid_lifetime = svid_lifetime(section, "svid_lifetime", SVID_LIFETIME);
        let human_svid_lifetime = svid_lifetime_of_people(section);
        let rules = section.sections("grant_rule", |rule| WrittenRule::read(rule, domain));
        let rules = rules?;
        if rules.len() > GRANT_RULES_MAX {
            section.problem("grant_rule", format!("there are {}", rules.len()), "1024 at most");
            return None;
        }
        Self::new(admins?, svid_lifetime?, human_svid_lifetime?, rules)
    }

    fn new(
        admins: Vec<PrincipalId>,
        svid_lifetime: Lifetime,
        human_svid_lifetime: Lifetime,
        rules: Vec<WrittenRule>,
    ) -> Option<Self> {
        let mut text = String::new();
        let written = write(&mut text, &admins, svid_lifetime, human_svid_lifetime, &rules);
        written.ok()?;
        let grant_rules = rules.into_iter().map(WrittenRule::into_rule).collect::<Option<_>>()?;
        let digest = Digest::of(text.as_bytes());
        let policy = Policy { admins, grant_rules, svid_lifetime, human_svid_lifetime, digest };
        Some(Self { policy, text })
    }
}

fn checked_admins(
    section: &Section<'_, '_>,
    domain: Option<&TrustDomain>,
    mut admins: Vec<PrincipalId>,
) -> Option<Vec<PrincipalId>> {
    admins.sort();
    admins.dedup();
    if admins.is_empty() || admins.len() > ADMINS_MAX {
        section.problem("admins", format!("there are {}", admins.len()), "1 to 64 principals");
        return None;
    }
    let foreign = admins.iter().find(|admin| domain.is_some_and(|domain| admin.domain() != *domain));
    if let Some(foreign) = foreign {
        section.problem("admins", format!("{foreign} is of another domain"), "principals of trust_domain");
        return None;
    }
    Some(admins)
}

fn svid_lifetime(section: &mut Section<'_, '_>, key: &str, default: Lifetime) -> Option<Lifetime> {
    let lifetime = section.or(key, default)?;
    let fits = (SVID_MIN_MS..=SVID_MAX_MS).contains(&lifetime.as_millis());
    if !fits {
        section.problem(key, format!("it is {}", LifetimeText(lifetime)), "from 10s to 1h");
    }
    fits.then_some(lifetime)
}

fn svid_lifetime_of_people(section: &mut Section<'_, '_>) -> Option<Lifetime> {
    svid_lifetime(section, "human_svid_lifetime", HUMAN_SVID_LIFETIME)
}

/// A grant rule as it is written.
struct WrittenRule {
    originator: PrincipalId,
    principal: PrincipalId,
    lifetime: Lifetime,
    scope: Scope,
}

impl WrittenRule {
    fn read(section: &mut Section<'_, '_>, domain: Option<&TrustDomain>) -> Option<Self> {
        let originator = section.required("originator");
        let principal = section.required("principal");
        let lifetime: Option<Lifetime> = section.required("lifetime");
        let scope = Scope::read(section);
        if lifetime.is_some_and(|lifetime| lifetime.as_millis() > GRANT_MAX_MS) {
            section.problem("lifetime", "no grant lives that long", "30d at most");
            return None;
        }
        for (key, name) in [("originator", &originator), ("principal", &principal)] {
            let foreign = |name: &&PrincipalId| domain.is_some_and(|domain| name.domain() != *domain);
            if let Some(name) = name.as_ref().filter(foreign) {
                section.problem(key, format!("{name} is of another domain"), "a principal of trust_domain");
                return None;
            }
        }
        Some(Self { originator: originator?, principal: principal?, lifetime: lifetime?, scope: scope? })
    }

    fn into_rule(self) -> Option<GrantRule> {
        let mut text = String::new();
        self.write(&mut text).ok()?;
        // The rule bounds a grant by the length of its life; these times are never looked at.
        let rights = self.scope.between(Timestamp::new(1)?, self.lifetime)?;
        let Self { originator, principal, lifetime, .. } = self;
        Some(GrantRule { originator, principal, rights, lifetime, digest: Digest::of(text.as_bytes()) })
    }

    fn write(&self, to: &mut String) -> fmt::Result {
        writeln!(to, "[[grant_rule]]")?;
        writeln!(to, "originator = \"{}\"", self.originator)?;
        writeln!(to, "principal = \"{}\"", self.principal)?;
        writeln!(to, "lifetime = \"{}\"", LifetimeText(self.lifetime))?;
        self.scope.write("grant_rule.", to)
    }
}

fn write(
    to: &mut String,
    admins: &[PrincipalId],
    svid_lifetime: Lifetime,
    human_svid_lifetime: Lifetime,
    rules: &[WrittenRule],
) -> fmt::Result {
    let admins: Vec<_> = admins.iter().map(|admin| format!("\"{admin}\"")).collect();
    writeln!(to, "admins = [{}]", admins.join(", "))?;
    writeln!(to, "svid_lifetime = \"{}\"", LifetimeText(svid_lifetime))?;
    writeln!(to, "human_svid_lifetime = \"{}\"", LifetimeText(human_svid_lifetime))?;
    for rule in rules {
        writeln!(to)?;
        rule.write(to)?;
    }
    Ok(())
}
