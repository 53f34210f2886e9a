//! `[classify]`: where an operator's own tables are. The only place here that reads files.

use serde::{Deserialize, Serialize};

use super::tables::{Additions, BadTable, Tables};

/// `[classify]`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// A file in the form of `config/lists/agents.toml`; empty for none.
    pub agents_file: String,
    /// A file in the form of `config/lists/sources.toml`; empty for none.
    pub sources_file: String,
}

impl Settings {
    /// The tables: compiled in, with the operator's files over them.
    ///
    /// # Errors
    /// (key of `[classify]`, which names the file and the entry at fault).
    pub fn tables(
        &self,
        excluded_agents: &[String],
        own_hosts: &[String],
    ) -> Result<Tables, (&'static str, String)> {
        let additions = Additions {
            agents: read(&self.agents_file).map_err(|why| ("agents_file", why))?,
            sources: read(&self.sources_file).map_err(|why| ("sources_file", why))?,
            excluded_agents: excluded_agents.to_vec(),
            own_hosts: own_hosts.to_vec(),
        };
        Tables::new(&additions).map_err(|bad| match bad {
            BadTable::Agents(why) => ("agents_file", format!("{}: {why}", self.agents_file)),
            BadTable::Sources(why) => ("sources_file", format!("{}: {why}", self.sources_file)),
        })
    }
}

fn read(file: &str) -> Result<Option<String>, String> {
    match file {
        "" => Ok(None),
        file => std::fs::read_to_string(file).map(Some).map_err(|e| format!("{file}: {e}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_file_and_entry() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml").display().to_string();
        let settings = Settings { agents_file: file.clone(), sources_file: String::new() };
        let why = || settings.tables(&[], &[]).unwrap_err();
        assert_eq!(why().0, "agents_file");
        std::fs::write(&file, "apps = [[\"Mine\"]]").unwrap();
        assert!(why().1.starts_with(&format!("{file}: apps[0]: expected")), "{why:?}", why = why());
        std::fs::write(&file, "apps = [[\"Mine in-app\", \"\", \"mine/\"]]").unwrap();
        settings.tables(&[], &[]).unwrap();
        let sources = Settings { agents_file: String::new(), sources_file: file };
        assert_eq!(sources.tables(&[], &[]).unwrap_err().0, "sources_file");
    }
}
