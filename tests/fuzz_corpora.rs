//! What fuzzers run, on their seeds and on some thousand inputs made from these: without a fuzzer and on any toolchain.

use otpgate::ops::random::{self, Random, SeededRandom};
use std::fs;
use std::path::Path;

#[test]
fn pdu_decode() {
    replay("pdu_decode", otpgate::sms::fuzzing::pdu_decode);
}

#[test]
fn at_engine() {
    replay("at_engine", otpgate::at::fuzzing::at_engine);
}

#[test]
fn record() {
    replay("record", otpgate::store::fuzzing::record);
}

#[test]
fn config() {
    replay("config", |octets| otpgate::config::fuzzing::config(&String::from_utf8_lossy(octets)));
}

#[test]
fn virtual_modem() {
    replay("virtual_modem", otpgate::simulator::fuzzing::virtual_modem);
}

#[test]
fn every_target_has_its_test_and_seeds() {
    let here = fs::read_to_string(folder("tests").join("fuzz_corpora.rs")).unwrap();
    for name in names(&folder("fuzz/fuzz_targets")) {
        let name = name.trim_end_matches(".rs");
        assert!(here.contains(&format!("replay(\"{name}\"")), "{name} is not replayed here");
        assert!(!names(&folder("fuzz/seeds").join(name)).is_empty(), "{name} has no seeds");
    }
}

/// Runs each seed, then as many mutations of seeds as there is time for in a test.
fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = folder("fuzz/seeds").join(target);
    let seeds: Vec<Vec<u8>> = names(&folder).iter().map(|name| fs::read(folder.join(name)).unwrap()).collect();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|seed| run(seed));
    run(&[]);
    let dice = Dice(SeededRandom::new(1));
    for round in 0..ROUNDS {
        let input = match round % 4 {
            0 => dice.octets(300),
            _ => dice.mutation(&seeds),
        };
        run(&input);
    }
}

struct Dice(SeededRandom);

impl Dice {
    fn below(&self, end: usize) -> usize {
        u32::from_be_bytes(random::bytes(&self.0)) as usize % end.max(1)
    }

    fn octets(&self, most: usize) -> Vec<u8> {
        let mut octets = vec![0; self.below(most)];
        self.0.fill(&mut octets);
        octets
    }

    /// One or two seeds, spliced and damaged in a few places.
    fn mutation(&self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let pick = || &seeds[self.below(seeds.len())];
        let (first, second) = (pick(), pick());
        let mut input = first.clone();
        if self.below(3) == 0 {
            input.truncate(self.below(first.len() + 1));
            input.extend(&second[self.below(second.len() + 1)..]);
        }
        for _ in 0..self.below(4) {
            let at = self.below(input.len());
            match self.below(4) {
                0 => input.truncate(at),
                1 => input.insert(at, self.below(256) as u8),
                _ if input.is_empty() => {}
                2 => drop(input.remove(at)),
                _ => input[at] ^= 1 << self.below(8),
            }
        }
        input
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The files in a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

const ROUNDS: usize = 4_000;
