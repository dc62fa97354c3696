use std::path::Path;

use countersign_protocol::{capability::Rights, digest::Digest};

use super::*;
use crate::limits::{ADMINS_MAX, GRANT_RULES_MAX};

const DOMAIN: &str = "prod.acme.example";

fn template() -> String {
    Config::template(
        &DOMAIN.parse().unwrap(),
        &format!("spiffe://{DOMAIN}/human/root").parse().unwrap(),
        None,
    )
}

fn parse(text: &str) -> Result<Config, Problems> {
    Config::parse("countersign.toml", text, Path::new("/etc/countersign"))
}

/// The template with everything that it only mentions.
fn whole() -> String {
    template()
        .lines()
        .map(|line| {
            format!(
                "{}\n",
                line.strip_prefix("# ")
                    .filter(|rest| {
                        rest.contains('=')
                            || rest.starts_with("[[")
                            || rest.starts_with(']')
                            || rest.starts_with("  ")
                    })
                    .unwrap_or(line)
            )
        })
        .collect()
}

#[test]
fn the_template_is_a_configuration() {
    let config = parse(&template()).unwrap();
    assert_eq!(config.data_dir, Path::new("/etc/countersign/data"));
    assert_eq!(config.key_dir, Path::new("/etc/countersign/keys"));
    assert_eq!(config.broker_address(None).unwrap().as_str(), "127.0.0.1:7443");
    assert!(config.policy.policy().grant_rules.is_empty(), "nothing is granted by default");
}

#[test]
fn what_the_template_mentions_can_be_said() {
    let config = parse(&whole()).unwrap();
    assert_eq!(config.broker_address(None).unwrap().as_str(), "broker.acme.example:7443");
    let [rule] = config.policy.policy().grant_rules.as_slice() else { panic!("one rule") };
    let rights: &Rights = &rule.rights;
    assert_eq!(rights.capabilities[0].constraints.len(), 4);
    assert_eq!(rule.lifetime.as_millis(), 8 * 60 * 60 * 1_000);
}

#[test]
fn a_policy_has_one_text_and_its_digest_is_of_it() {
    let config = parse(&whole()).unwrap();
    let policy = &config.policy;
    assert_eq!(policy.policy().digest, Digest::of(policy.text().as_bytes()));
    // The text says the same again, whatever else is configured and however it is laid out.
    let again = format!(
        "trust_domain = \"{DOMAIN}\"\ndata_dir = \"d\"\nkey_dir = \"k\"\nlisten = \"[::1]:1\"\n\
         enrolment_listen = \"[::1]:2\"\n{}",
        policy.text()
    );
    assert_eq!(parse(&again).unwrap().policy.text(), policy.text());
    let other = parse(&whole().replace("ceiling = 500", "ceiling = 501")).unwrap();
    assert_ne!(other.policy.policy().digest, policy.policy().digest);
    assert_ne!(other.policy.policy().grant_rules[0].digest, policy.policy().grant_rules[0].digest);
}

#[test]
fn every_problem_is_told_at_once() {
    let text = r#"
trust_domain = "PROD.acme.example"
data_dir = "data"
listen = "localhost:7443"
enrolment_listen = "0.0.0.0:7444"
advertise = "broker"
admins = []
svid_lifetime = "2h"
svid_lifetim = "5m"

[[grant_rule]]
originator = "alice"
"#;
    let problems = parse(text).unwrap_err();
    let keys: Vec<_> = problems.list().iter().map(|problem| problem.key.as_str()).collect();
    for key in [
        "trust_domain",
        "key_dir",
        "listen",
        "advertise",
        "admins",
        "svid_lifetime",
        "svid_lifetim",
        "grant_rule[0].originator",
        "grant_rule[0].principal",
        "grant_rule[0].lifetime",
        "grant_rule[0].audiences",
        "grant_rule[0].budget",
        "grant_rule[0].delegations_left",
        "grant_rule[0].capability",
    ] {
        assert!(keys.contains(&key), "{key}: {problems}");
    }
    assert_eq!(keys.len(), 14, "{problems}");
}

#[test]
fn what_contradicts_itself_is_a_problem() {
    for (find, replace, key) in [
        ("key_dir = \"keys\"", "key_dir = \"data/keys\"", "key_dir"),
        ("127.0.0.1:7444", "127.0.0.1:7443", "enrolment_listen"),
        ("\"127.0.0.1:7443\"", "\"0.0.0.0:7443\"", "advertise"),
        (
            "admins = [\"spiffe://prod.acme.example/human/root\"]",
            "admins = [\"spiffe://evil.example/human/x\"]",
            "admins",
        ),
    ] {
        let text = template();
        assert!(text.contains(find), "{find}");
        let problems = parse(&text.replacen(find, replace, 1)).unwrap_err();
        assert_eq!(problems.list().len(), 1, "{problems}");
        assert_eq!(problems.list()[0].key, key);
    }
    let foreign = whole().replace("prod.acme.example/agent/planner", "evil.example/agent/planner");
    assert_eq!(parse(&foreign).unwrap_err().list()[0].key, "grant_rule[0].principal");
}

/// The key of the only problem in it, if it has one.
fn problem(text: &str) -> Option<String> {
    let problems = parse(text).err()?;
    assert_eq!(problems.list().len(), 1, "{problems}");
    Some(problems.list()[0].key.clone())
}

#[test]
fn a_policy_is_bounded_at_every_end() {
    let admins = |count: usize| {
        let admins: Vec<_> = (0..count).map(|n| format!("\"spiffe://{DOMAIN}/human/a{n}\"")).collect();
        template().replace(&format!("\"spiffe://{DOMAIN}/human/root\""), &admins.join(", "))
    };
    assert_eq!([1, ADMINS_MAX].map(|count| problem(&admins(count))), [None, None]);
    assert_eq!(
        [0, ADMINS_MAX + 1].map(|count| problem(&admins(count))),
        [0; 2].map(|_| Some("admins".into()))
    );
    let whole = whole();
    let written = parse(&whole).unwrap().policy;
    let (_, rule) = written.text().split_once("[[grant_rule]]").unwrap();
    let rules = |count: usize| format!("{whole}{}", format!("\n[[grant_rule]]{rule}").repeat(count - 1));
    assert_eq!(problem(&rules(GRANT_RULES_MAX)), None);
    assert_eq!(problem(&rules(GRANT_RULES_MAX + 1)).as_deref(), Some("grant_rule"));
}

#[test]
fn what_a_policy_lets_live_lives_within_the_limits() {
    let whole = whole();
    let grant = |lifetime: &str| problem(&whole.replacen("lifetime = \"8h\"", lifetime, 1));
    assert_eq!(grant("lifetime = \"30d\""), None);
    assert_eq!(grant("lifetime = \"2592000001ms\"").as_deref(), Some("grant_rule[0].lifetime"));
    for key in ["svid_lifetime", "human_svid_lifetime"] {
        let svid = |lifetime: &str| {
            let others =
                template().lines().filter(|line| !line.starts_with(key)).collect::<Vec<_>>().join("\n");
            problem(&format!("{key} = \"{lifetime}\"\n{others}"))
        };
        assert_eq!(["10s", "1h"].map(svid), [None, None]);
        assert_eq!(["9999ms", "3600001ms"].map(svid), [0; 2].map(|_| Some(key.to_owned())));
    }
}

#[test]
fn a_policy_is_kept_as_it_was_and_not_believed_if_altered() {
    let directory = tempfile::tempdir().unwrap();
    let archive = PolicyArchive::at(directory.path().join("policies"));
    let digest = archive.put("admins = []\n").unwrap();
    assert_eq!(archive.get(digest).as_deref(), Some(&b"admins = []\n"[..]));
    assert_eq!(archive.get(Digest::of(b"other")), None);
    std::fs::write(directory.path().join(format!("policies/{digest}.toml")), "admins = [1]\n").unwrap();
    assert_eq!(archive.get(digest), None);
    assert_eq!(archive.put("admins = []\n").unwrap(), digest);
    assert!(archive.get(digest).is_some());
}
