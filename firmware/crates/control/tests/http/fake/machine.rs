//! A machine and backups that live in memory.

use api::revisions::SettingsChange;
use api::system::{
    Backup, BackupFile, Begun, Issue, LogLine, Network, NewBackup, RestoreBackup, Time,
};
use base::error::ErrorKind;
use edgecam_control::PortError;
use edgecam_control::ports::{Answer, Backups, LogQuery, Machine};
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};

use super::Fake;

fn begun<'a>() -> Answer<'a, Begun> {
    async { Ok(Begun { detail: "it begins".into() }) }.boxed()
}

impl Machine for Fake {
    fn network(&self) -> Network {
        Network { hostname: "edgecam".into(), ..Network::default() }
    }

    fn time(&self) -> Time {
        Time { synchronised: Some(true), ..Time::default() }
    }

    fn reboot(&self) -> Answer<'_, Begun> {
        begun()
    }

    fn power_off(&self) -> Answer<'_, Begun> {
        begun()
    }

    fn factory_reset(&self) -> Answer<'_, Begun> {
        begun()
    }

    fn logs(&self, query: LogQuery) -> Answer<'_, Vec<LogLine>> {
        let message = format!("{query:?}");
        async { Ok(vec![LogLine { seq: Some(1), message, ..LogLine::default() }]) }.boxed()
    }

    fn follow(&self, query: LogQuery) -> Answer<'_, BoxStream<'static, LogLine>> {
        async {
            let lines = self.logs(query).await?;
            Ok(futures::stream::iter(lines).chain(futures::stream::pending()).boxed())
        }
        .boxed()
    }

    fn issues(&self) -> Answer<'_, Vec<Issue>> {
        let issue = Issue { code: "disk_full".into(), ..Issue::default() };
        async { Ok(vec![issue]) }.boxed()
    }

    fn fix<'a>(&'a self, code: &'a str) -> Answer<'a, Begun> {
        if code == "disk_full" {
            return begun();
        }
        async { Err(PortError::new(ErrorKind::NotFound, "there is no such issue")) }.boxed()
    }

    fn facts(&self) -> Answer<'_, Vec<(String, String)>> {
        async { Ok(vec![("kernel.txt".to_owned(), "Linux".to_owned())]) }.boxed()
    }
}

impl Fake {
    fn backup(&self) -> Backup {
        Backup { id: self.event_id(1), node: "ec-1".into(), ..Backup::default() }
    }
}

impl Backups for Fake {
    fn list(&self) -> Answer<'_, Vec<Backup>> {
        let all = vec![self.backup()];
        async { Ok(all) }.boxed()
    }

    fn make(&self, new: NewBackup) -> Answer<'_, Backup> {
        let made = Backup { encrypted: new.passphrase.is_some(), ..self.backup() };
        async { Ok(made) }.boxed()
    }

    fn file<'a>(&'a self, id: &'a str) -> Answer<'a, Option<BackupFile>> {
        let backup = self.backup();
        let file = BackupFile {
            format: "edgecam.backup/1".into(),
            id: backup.id,
            made_at: backup.made_at,
            node: backup.node,
            version: backup.version,
            schema: 1,
            revision: 0,
            users: false,
            note: None,
            encryption: None,
            sha256: String::new(),
            content: String::new(),
        };
        async move { Ok((id == file.id).then_some(file)) }.boxed()
    }

    fn delete<'a>(&'a self, id: &'a str) -> Answer<'a, Option<Backup>> {
        let backup = self.backup();
        async move { Ok((id == backup.id).then_some(backup)) }.boxed()
    }

    fn restore(&self, _: RestoreBackup, _: String) -> Answer<'_, SettingsChange> {
        async { Err(PortError::new(ErrorKind::NotFound, "there is no such backup")) }.boxed()
    }
}
