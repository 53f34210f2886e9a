//! `kill -9` at any instant, and SIGTERM, under load.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use slugline::hits::journal::sim::Chance;

use super::books::{Books, settled};
use super::load::{Done, Known, Load, Plan};
use super::node::{Home, Node, target};
use super::{Seed, rounds};

const LINKS: usize = 12;

/// Waits for an instant between those that a clock can wait for.
fn spin(micros: u64) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_micros(micros) {
        std::hint::spin_loop();
    }
}

/// Follows links until the program is killed in the middle of it.
fn killed_under_load(home: &Home, mut node: Node, chance: &mut Chance) -> Done {
    let plan = Plan { tell_at: 1 + chance.below(4_000), leave: true, ..Plan::default() };
    let load = Load::begin(node.public(), &home.codes, chance, plan);
    load.told();
    spin(chance.below(3_000));
    node.kill_now();
    load.end()
}

/// Starts the program and kills it before it can have done much; some starts die before they are ready.
fn killed_while_recovering(home: &Home, chance: &mut Chance) {
    let mut node = home.spawn();
    if chance.once_in(2) {
        node.ready();
    } else {
        spin(chance.below(60_000));
    }
    spin(chance.below(20_000));
    node.kill_now();
}

fn options(io: &str, chance: &mut Chance) -> Vec<String> {
    let sync = ["interval", "interval", "interval", "never", "always"];
    let sync = sync[usize::try_from(chance.below(5)).unwrap()];
    // Counted segments go early, so that files are written over.
    let mut options = vec![format!("journal.io={io}"), format!("journal.sync={sync}")];
    options.push("journal.retain_bytes=3MiB".to_owned());
    if chance.once_in(3) {
        options.push("hits.batch_hits=1000".to_owned());
    }
    options
}

fn survives_kills(io: &str, lanes: u64) {
    let seed = Seed::new();
    let mut chance = seed.chance(lanes);
    let lanes = format!("store.lanes={lanes}");
    let (mut home, mut node) = Home::begin(LINKS, &[&lanes, &format!("journal.io={io}")]);
    let mut before = vec![0; LINKS];
    let (mut answered, mut unknown) = (0, 0);
    let rounds = rounds(10, 200);
    for round in 0..rounds {
        let done = killed_under_load(&home, node, &mut chance);
        let options = options(io, &mut chance);
        home.set(&options.iter().map(String::as_str).collect::<Vec<_>>());
        let again = if chance.once_in(3) { 1 + chance.below(3) } else { 0 };
        for _ in 0..again {
            killed_while_recovering(&home, &mut chance);
        }
        node = home.start();
        let books = settled(&home, &node);
        println!("round {round}: {} answered, {} unknown", done.answered(), done.unknown());
        books.check(&before, &done.known);
        assert_eq!(books.lost(), 0);
        before = books.counted;
        answered += done.answered();
        unknown += done.unknown();
    }
    node.stop();
    let counted: u64 = before.iter().sum();
    println!("{io}: {rounds} kills, {answered} answered, {counted} counted, {unknown} unknown");
}

#[test]
fn kill_9_with_a_mapped_journal() {
    survives_kills("mmap", 4);
}

#[test]
fn kill_9_with_a_written_journal() {
    survives_kills("write", 1);
}

#[test]
fn sigterm_under_load_loses_and_adds_nothing() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (home, mut node) = Home::begin(LINKS, &["store.lanes=4"]);
    let mut before = vec![0; LINKS];
    for _ in 0..rounds(6, 100) {
        let plan = Plan { tell_at: 1 + chance.below(3_000), ..Plan::default() };
        let load = Load::begin(node.public(), &home.codes, &mut chance, plan);
        load.told();
        spin(chance.below(3_000));
        node.terminate();
        let done = load.end();
        assert_eq!(node.ended(), Some(0), "{}", node.log());
        // Everything is counted before it ends, and nothing that was not answered.
        let books = Books::of(&home);
        let answered: Vec<Known> = done.known.iter().map(|k| Known { unknown: 0, ..*k }).collect();
        books.check(&before, &answered);
        assert_eq!(books.lost(), 0);
        before = books.counted;
        node = home.start();
    }
    let books = settled(&home, &node);
    assert_eq!(books.counted, before, "counted again after a restart");
}

#[test]
fn a_second_program_on_the_same_folder_is_refused() {
    let seed = Seed::new();
    let (home, node) = Home::begin(2, &[]);
    let mut second = home.spawn();
    assert_eq!(second.ended(), Some(1));
    assert!(second.log().contains("is in use by slugline serve"), "{}", second.log());
    let done = Load::run(node.public(), &home.codes, &mut seed.chance(0), 200);
    settled(&home, &node).check(&[0, 0], &done.known);
}

#[test]
fn a_reader_who_leaves_is_counted_at_most_once() {
    let seed = Seed::new();
    let (home, node) = Home::begin(LINKS, &[]);
    let plan = Plan { tell_at: 3_000, leave: true, ..Plan::default() };
    let load = Load::begin(node.public(), &home.codes, &mut seed.chance(0), plan);
    load.told();
    let done = load.stop();
    assert!(done.unknown() > 0, "nobody left");
    settled(&home, &node).check(&[0; LINKS], &done.known);
}

#[test]
fn links_that_were_answered_survive_kills() {
    let seed = Seed::new();
    let mut chance = seed.chance(0);
    let (home, mut node) = Home::begin(1, &[]);
    let mut answered: Vec<String> = vec![];
    for round in 0..rounds(5, 100) {
        let enough = 1 + chance.below(40);
        let (told, reached) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let (home, public) = (&home, node.public());
            let creating = scope.spawn(move || {
                let mut made = vec![];
                for n in 0.. {
                    let body = json!({ "url": target(&format!("round-{round}/{n}")) });
                    let Some(code) = home.try_create(public, &body) else { return made };
                    made.push(code);
                    if n == enough {
                        told.send(()).unwrap();
                    }
                }
                made
            });
            reached.recv().unwrap();
            spin(chance.below(3_000));
            node.kill_now();
            answered.extend(creating.join().unwrap());
        });
        node = home.start();
        for code in &answered {
            let link = home.api(&node, "GET", &format!("/links/{code}"), &Value::Null);
            assert_eq!(link["status"], "active", "{code} was answered 201");
        }
    }
    node.stop();
    println!("{} links were answered, all are there", answered.len());
}
