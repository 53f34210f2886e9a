//! Who may do what.
//!
//! Roles are ordered: each may all that the one before may. Knows neither keys nor sessions, only who acts.

use super::error::{Reason, Refusal};

/// What a key or a person may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Also creates, and changes and retires what it made.
    Creator,
    /// Also changes any link or article.
    Editor,
    /// Everything.
    Admin,
}

impl Role {
    /// The contract's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Creator => "creator",
            Role::Editor => "editor",
            Role::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = Refusal;

    fn from_str(text: &str) -> Result<Role, Refusal> {
        [Role::Viewer, Role::Creator, Role::Editor, Role::Admin]
            .into_iter()
            .find(|r| r.as_str() == text)
            .ok_or_else(|| {
                let detail = "a role is viewer, creator, editor or admin";
                Refusal::field(Reason::InvalidValue, "role", detail)
            })
    }
}

/// Who acts: `key:ID`, `user:NAME` or `cli`, and what it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// As it stands in `created_by`, history and audit.
    pub name: String,
    /// What it may.
    pub role: Role,
}

impl Actor {
    /// The operator at the command line.
    #[must_use]
    pub fn cli() -> Actor {
        Actor { name: "cli".into(), role: Role::Admin }
    }

    /// Refuses below `needed`.
    pub fn require(&self, needed: Role) -> Result<(), Refusal> {
        if self.role >= needed {
            return Ok(());
        }
        let detail = format!("this needs the role {}; yours is {}", needed.as_str(), self.role.as_str());
        Err(Refusal::new(Reason::Forbidden, detail))
    }

    /// Refuses a change of something that `made_by` made: editors may, creators only what is theirs.
    pub fn require_change_of(&self, made_by: &str) -> Result<(), Refusal> {
        if self.role >= Role::Editor || (self.role == Role::Creator && self.name == made_by) {
            return Ok(());
        }
        self.require(Role::Creator)?;
        Err(Refusal::new(Reason::Forbidden, "a creator may change only links it made; an editor may"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_change() {
        let actor = |role| Actor { name: "key:a".into(), role };
        assert!(actor(Role::Viewer).require_change_of("key:a").is_err());
        assert!(actor(Role::Creator).require_change_of("key:a").is_ok());
        assert!(actor(Role::Creator).require_change_of("key:b").is_err());
        assert!(actor(Role::Editor).require_change_of("key:b").is_ok());
    }
}
