//! Where sessions lie: `$COUNTERSIGN_HOME`, by default in the state directory of the user.

use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use countersign_protocol::name::TrustDomain;

use super::SessionFile;
use crate::{exit::Exit, failure::Failure};

/// The name of a session's file ends with this; the trust domain goes before it.
const SUFFIX: &str = ".session";

/// The file that names the trust domain in which commands act.
const CURRENT: &str = "current";

/// The directory of all sessions.
#[derive(Clone, Debug)]
pub(crate) struct Home(PathBuf);

impl Home {
    /// The directory that was named, or the usual one.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self, Failure> {
        Self::among(named, |name| env::var_os(name)).ok_or_else(|| {
            let why = "Neither COUNTERSIGN_HOME nor XDG_STATE_HOME nor HOME names an absolute directory.";
            Failure::usage("No session can be kept or found", why, "Name a directory with --home.")
        })
    }

    fn among(named: Option<PathBuf>, variable: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        // As the XDG base directory specification has it, what is not absolute is ignored.
        let absolute = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let state = || absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
        named.or_else(|| Some(state()?.join("countersign"))).map(Self)
    }

    /// The session of the domain that was named, or the only one there is.
    pub(crate) fn session(&self, domain: Option<&TrustDomain>) -> Result<SessionFile, Failure> {
        if let Some(domain) = domain {
            return Ok(self.session_of(domain));
        }
        if let Some(domain) = self.current()? {
            return Ok(self.session_of(&domain));
        }
        match self.sessions()?.as_slice() {
            [domain] => Ok(self.session_of(domain)),
            [] => Err(Failure::new(
                Exit::Denied,
                "There is no session",
                format!("{} has none.", self.0.display()),
                "Run countersign join with a join token from an admin of the trust domain.",
            )),
            several => {
                let names: Vec<&str> = several.iter().map(TrustDomain::as_str).collect();
                let why = format!("There are sessions in {}.", names.join(", "));
                let next = "Name one with --domain, or choose it with countersign context use DOMAIN.";
                Err(Failure::usage("The trust domain is not clear", why, next))
            }
        }
    }

    /// The session of that domain, whether or not there is one.
    pub(crate) fn session_of(&self, domain: &TrustDomain) -> SessionFile {
        SessionFile::new(self.0.clone(), self.0.join(format!("{domain}{SUFFIX}")), domain.clone())
    }

    /// The domains of which there are sessions, in order.
    pub(crate) fn sessions(&self) -> Result<Vec<TrustDomain>, Failure> {
        self.domains().map_err(|error| self.unusable(&error))
    }

    /// The domain that was chosen, if its session is still there.
    pub(crate) fn current(&self) -> Result<Option<TrustDomain>, Failure> {
        let text = match fs::read_to_string(self.0.join(CURRENT)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(|error| self.unusable(&error))?,
        };
        let chosen: Option<TrustDomain> = text.trim_end().parse().ok();
        Ok(chosen.filter(|domain| self.session_of(domain).path().exists()))
    }

    /// Makes a domain the current one, or none.
    pub(crate) fn choose(&self, domain: Option<&TrustDomain>) -> Result<(), Failure> {
        let path = self.0.join(CURRENT);
        let Some(domain) = domain else {
            return match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.unusable(&error)),
                _ => Ok(()),
            };
        };
        if !self.session_of(domain).path().exists() {
            return Err(Failure::new(
                Exit::NotFound,
                format!("{domain} was not chosen"),
                "You have no session there.",
                "List those that you have with countersign context list, or join it with countersign join.",
            ));
        }
        prepare(&self.0)?;
        fs::write(&path, format!("{domain}\n")).map_err(|error| self.unusable(&error))
    }

    fn domains(&self) -> io::Result<Vec<TrustDomain>> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut domains = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let domain = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
            domains.extend(domain.and_then(|domain| domain.parse().ok()));
        }
        domains.sort();
        Ok(domains)
    }

    fn unusable(&self, error: &io::Error) -> Failure {
        unusable(&self.0, error)
    }
}

/// Makes the directory, for its owner alone, or sees to it that it is.
pub(super) fn prepare(directory: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|error| unusable(directory, &error))?;
    check_private(directory)
}

/// Refuses what others than its owner may read or change.
pub(super) fn check_private(path: &Path) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(|error| unusable(path, &error))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        let path = path.display();
        let next = match metadata.is_dir() {
            true => format!(
                "Run chmod 700 {path}. If a session lay in it, have an admin revoke its instance, and join \
                 again with --replace."
            ),
            false => "Have an admin revoke the session's instance, and join again with --replace.".to_owned(),
        };
        let why = format!("Its mode is {mode:o}: others than its owner can read or change what is in it.");
        return Err(Failure::new(Exit::Denied, format!("{path} was not opened"), why, next));
    }
    Ok(())
}

pub(super) fn unusable(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Unavailable,
        format!("{} cannot be used", path.display()),
        format!("{error}."),
        "Check that it may be read and written, or name another directory with --home.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn among(named: Option<&str>, variables: &[(&str, &str)]) -> Option<PathBuf> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, v)| v.into());
        Home::among(named.map(PathBuf::from), variable).map(|home| home.0)
    }

    #[test]
    fn the_usual_directory_is_that_of_the_xdg_specification() {
        let path = |text: &str| Some(PathBuf::from(text));
        let (xdg, home) = (("XDG_STATE_HOME", "/x"), ("HOME", "/h"));
        assert_eq!(among(Some("here"), &[xdg, home]), path("here"));
        assert_eq!(among(None, &[xdg, home]), path("/x/countersign"));
        assert_eq!(among(None, &[home]), path("/h/.local/state/countersign"));
        assert_eq!(among(None, &[("XDG_STATE_HOME", "x"), home]), path("/h/.local/state/countersign"));
        assert_eq!(among(None, &[("HOME", "")]), None);
    }

    #[test]
    fn the_only_session_is_the_one_that_is_meant() {
        let directory = tempfile::tempdir().unwrap();
        let home = Home(directory.path().to_owned());
        assert_eq!(home.session(None).unwrap_err().exit, Exit::Denied);

        fs::write(directory.path().join("a.example.session"), "").unwrap();
        fs::write(directory.path().join("a.example.lock"), "").unwrap();
        assert_eq!(home.session(None).unwrap().domain().as_str(), "a.example");

        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o700)).unwrap();
        fs::write(directory.path().join("b.example.session"), "").unwrap();
        let failure = home.session(None).unwrap_err();
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.why.contains("a.example, b.example"), "{}", failure.why);
        let named = "b.example".parse().unwrap();
        assert_eq!(home.session(Some(&named)).unwrap().domain(), &named);

        home.choose(Some(&named)).unwrap();
        assert_eq!(home.session(None).unwrap().domain(), &named);
        let other = "a.example".parse().unwrap();
        assert_eq!(home.session(Some(&other)).unwrap().domain(), &other, "what is named goes before");
        let absent = "c.example".parse().unwrap();
        assert_eq!(home.choose(Some(&absent)).unwrap_err().exit, Exit::NotFound);
        fs::remove_file(directory.path().join("b.example.session")).unwrap();
        assert_eq!(home.session(None).unwrap().domain(), &other, "a session that is gone is not current");
        home.choose(None).unwrap();
        assert_eq!(home.current().unwrap(), None);
    }
}
