use super::{open, worthless};
use crate::{
    domain::{InstanceAdmitted, check_issued},
    identity::JoinStatement,
    name::TrustDomain,
    refusal::{Reason, Refusal},
    require,
    time::Timestamp,
};

/// The process signed, with the key that the domain recorded, what the domain recorded of it.
pub(in crate::explain) fn check_admission(
    domain: &TrustDomain,
    at: Timestamp,
    event: &InstanceAdmitted,
) -> Result<(), Refusal> {
    let (record, invalid) = (&event.statement, Reason::BundleInvalid);
    let join: JoinStatement = open("LOG-036", &event.join, &[record.key])?;
    join.extensions.check().map_err(worthless("LOG-036"))?;
    check_issued(join.issued, at).map_err(worthless("LOG-036"))?;
    let here = join.domain == *domain && join.instance.principal().domain() == *domain;
    require!("LOG-036", here, invalid, "{} joined another domain.", join.instance);
    let same = join.instance == record.instance
        && join.key == record.key
        && join.spki == record.spki
        && join.configuration == record.configuration
        && join.evidence == record.evidence;
    require!("LOG-036", same, invalid, "The record of {} is not what it signed.", record.instance);
    let first = record.generation == 1 && at < record.expires;
    require!("LOG-036", first, invalid, "The record of {} is not a first one.", record.instance);
    Ok(())
}
