//! The keys of the day: in one place, for as long as they are needed, and in no copy.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::numbers;
use crate::harness::{TestApp, cli};

/// The keys in a data folder, as they are written and as they are used.
fn keys(data: &Path) -> Vec<Vec<u8>> {
    let text = std::fs::read_to_string(data.join("day-keys")).unwrap();
    let hex = text.lines().map(|line| line.rsplit(' ').next().unwrap());
    let both = hex.flat_map(|hex| {
        [hex.as_bytes().to_vec(), u128::from_str_radix(hex, 16).unwrap().to_be_bytes().to_vec()]
    });
    both.collect()
}

fn assert_without(keys: &[Vec<u8>], what: &str, bytes: &[u8]) {
    for key in keys {
        assert!(!bytes.windows(key.len()).any(|part| part == key), "a key is in {what}");
    }
}

/// Every file below a folder.
fn each_file(dir: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
        let path = entry.path();
        match path.is_dir() {
            true => each_file(&path, look),
            false => look(&path, &std::fs::read(&path).unwrap()),
        }
    }
}

#[tokio::test]
async fn keys_are_in_one_file_and_in_no_copy() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 3).await;
    app.settle().await;
    let (data, backup) = (app.data().to_path_buf(), app.dir().path().join("backup"));
    let keys = keys(&data);
    assert_eq!(keys.len(), 4, "today's and tomorrow's");
    let mode = std::fs::metadata(data.join("day-keys")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    cli::on(&data, &["backup", &backup.display().to_string()]).done();
    assert!(!backup.join("day-keys").exists());
    assert_without(&keys, "the export", cli::on(&data, &["export", "-"]).done().as_bytes());
    let mut looked = 0;
    each_file(app.dir().path(), &mut |path, bytes| {
        if !path.ends_with("data/day-keys") {
            assert_without(&keys, &path.display().to_string(), bytes);
            looked += 1;
        }
    });
    assert!(looked > 6, "the data folder and the backup were looked at");
}

#[tokio::test]
async fn a_reader_is_the_same_after_a_restart() {
    let app = TestApp::start().await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 2).await;
    let (dir, key) = app.stop().await;
    let app = TestApp::start_in(dir, Some(key), |_| {}).await;
    app.follow_times(&code, 2).await;
    assert_eq!(app.totals(&code).await, (4, 0, 0));
    let numbers = numbers(&app.config, &code).await;
    assert_eq!((numbers.total.uniques, numbers.own_key), (1, 0));
}

#[tokio::test]
async fn without_its_file_a_day_is_marked() {
    let dir = std::sync::Arc::new(tempfile::tempdir().unwrap());
    // A folder in the file's place: it can be neither read nor written.
    std::fs::create_dir_all(dir.path().join("data/day-keys")).unwrap();
    let app = TestApp::start_in(dir, None, |_| {}).await;
    let code = app.shorten("https://news.example.com/a").await;
    app.follow_times(&code, 2).await;
    app.settle().await;
    let numbers = numbers(&app.config, &code).await;
    assert_eq!((numbers.total.uniques, numbers.own_key), (1, 2), "they are counted all the same");
}
