//! The rotation of the master key.

use crate::ops::random::SeededRandom;
use crate::store::generate;
use crate::store::memory_backend::{CrashMode, Disk, Fault, MemoryBackend};
use crate::store::vault::*;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

type Records = BTreeMap<Key, Record>;

const FIRST: [u8; 32] = [7; 32];

fn open(disk: &Disk, masters: impl Into<Masters>) -> Result<(Vault<MemoryBackend>, Opened, Records), OpenError> {
    let mut records = Records::new();
    let random = Arc::new(SeededRandom::new(1));
    let (vault, opened) =
        Vault::open(MemoryBackend::on(disk), masters, random, StoreKind::Real, Wall(1_000), |k, r| {
            records.insert(k, r);
        })?;
    Ok((vault, opened, records))
}

/// Opens it with the keys that are on the disk.
fn reopen(disk: &Disk) -> (Vault<MemoryBackend>, Opened, Records) {
    open(disk, disk.masters(&FIRST)).unwrap()
}

/// Records of all kinds, more than one commit seals anew.
fn records() -> Records {
    let mut runner = TestRunner::deterministic();
    let records: Records = (0..300).map(|_| generate::record().new_tree(&mut runner).unwrap().current()).collect();
    assert!(records.len() > 3 * RESEALED && records.values().filter(|r| r.keeps_its_key()).count() > 10);
    records
}

/// A disk that holds them.
fn filled() -> (Disk, Records) {
    let (disk, records) = (Disk::default(), records());
    let (mut vault, ..) = reopen(&disk);
    vault.commit(Wall(2_000), records.iter().map(|(k, r)| (*k, Some(r.clone()))).collect()).unwrap();
    (disk, records)
}

/// Changes that come between: each leaves one record out, and writes another one again.
fn change(step: usize, records: &mut Records) -> Vec<(Key, Option<Record>)> {
    let nth = |n: usize| records.iter().nth(n * 7 % records.len()).map(|(k, r)| (*k, r.clone())).unwrap();
    let ((gone, _), (again, record)) = (nth(step), nth(step + 20));
    if gone == again {
        return Vec::new();
    }
    records.remove(&gone);
    vec![(gone, None), (again, Some(record))]
}

fn bound(records: &Records) -> u64 {
    records.values().filter(|r| r.keeps_its_key()).count() as u64
}

/// Brings a rotation to its end: seals anew, lets what keeps its key end, forgets the older key.
fn finish(mut vault: Vault<MemoryBackend>, disk: &Disk, mut expected: Records) {
    for _ in 0..20 {
        if vault.is_resealing() {
            vault.commit(Wall(5_000), Vec::new()).unwrap();
        }
    }
    assert_eq!((vault.is_resealing(), vault.rotation().left), (false, bound(&expected)));
    assert_eq!(reopen(disk).2, expected);
    let ended: Vec<Key> = expected.iter().filter(|(_, r)| r.keeps_its_key()).map(|(k, _)| *k).collect();
    assert!(!vault.has_unused_keys());
    for (n, key) in ended.iter().enumerate() {
        assert_eq!(vault.rotation().left, (ended.len() - n) as u64);
        vault.commit(Wall(6_000), vec![(*key, None)]).unwrap();
        expected.remove(key);
    }
    assert!(vault.has_unused_keys());
    vault.forget_unused_keys().unwrap();
    assert!(vault.rotation().older.is_empty() && !vault.is_resealing());
    let (vault, opened, found) = reopen(disk);
    assert_eq!((opened.quarantined, opened.set_aside), (None, 0));
    assert!(found == expected && vault.rotation().older.is_empty());
    let old = Keyring::new(&FIRST);
    let error = open(disk, old.clone()).unwrap_err();
    assert_eq!(error, OpenError::WrongKey { store: vault.rotation().current, given: old.id() });
}

#[test]
fn every_record_can_be_read_all_the_time_and_in_the_end_only_the_new_key_opens_it() {
    let (disk, mut expected) = filled();
    let (mut vault, ..) = reopen(&disk);
    vault.rotate().unwrap();
    assert_eq!(vault.rotation().left, expected.len() as u64 + 1, "and the record that says what store it is");
    let mut commits = 0;
    while vault.is_resealing() {
        let before = vault.rotation().left;
        vault.commit(Wall(3_000), change(commits, &mut expected)).unwrap();
        assert!(before - vault.rotation().left <= RESEALED as u64 + 2, "a bounded number at once");
        for (key, record) in &expected {
            assert_eq!(vault.get(*key).as_ref(), Ok(&Some(record.clone())));
        }
        commits += 1;
    }
    assert!(commits > 3);
    finish(vault, &disk, expected);
}

#[test]
fn a_rotation_survives_a_crash_at_every_batch_and_goes_on() {
    let modes = [CrashMode::Drop, CrashMode::Keep];
    let torn = [1, 2, 30].map(|keep_first| CrashMode::Split { keep_first });
    for mode in modes.into_iter().chain(torn) {
        for crash_at in 0..7 {
            let (disk, mut expected) = filled();
            let (mut vault, ..) = reopen(&disk);
            vault.rotate().unwrap();
            for step in 0..crash_at {
                vault.commit(Wall(3_000), change(step, &mut expected)).unwrap();
            }
            let before = expected.clone();
            disk.set_fault(Fault::SyncFails);
            vault.commit(Wall(4_000), change(crash_at, &mut expected)).unwrap_err();
            let writes = disk.unsynced();
            disk.crash(mode);
            let (vault, opened, found) = reopen(&disk);
            match mode {
                CrashMode::Split { keep_first } if keep_first < writes => {
                    assert!(opened.quarantined.is_some(), "{mode:?} at {crash_at}");
                    assert!(!vault.is_resealing() && !vault.has_unused_keys(), "nothing more is done to it");
                    continue;
                }
                CrashMode::Drop => expected = before,
                _ => {}
            }
            assert_eq!((opened.quarantined, opened.set_aside), (None, 0), "{mode:?} at {crash_at}");
            assert_eq!(found, expected, "{mode:?} at {crash_at}");
            finish(vault, &disk, expected);
        }
    }
}

#[test]
fn a_crash_between_the_new_key_and_its_first_use_does_no_harm() {
    let (disk, expected) = filled();
    let (mut vault, ..) = reopen(&disk);
    vault.rotate().unwrap();
    let made = vault.rotation();
    drop(vault);
    let (vault, opened, found) = reopen(&disk);
    assert_eq!((opened.quarantined, &found, vault.rotation()), (None, &expected, made));
    finish(vault, &disk, expected);
}

#[test]
fn a_damaged_record_holds_its_key_and_nothing_else_up() {
    for byte in [2, 40] {
        let (disk, mut expected) = filled();
        let victim = *expected.iter().find(|(_, r)| !r.keeps_its_key()).unwrap().0;
        disk.edit(|map| map.get_mut(&victim.to_bytes()[..]).unwrap()[byte] ^= 1);
        expected.remove(&victim);
        let (mut vault, opened, _) = reopen(&disk);
        assert_eq!((opened.quarantined, opened.set_aside), (None, 1), "byte {byte}");
        vault.rotate().unwrap();
        while vault.is_resealing() {
            vault.commit(Wall(3_000), Vec::new()).unwrap();
        }
        assert_eq!(vault.rotation().left, bound(&expected) + 1);
        let (vault, opened, found) = reopen(&disk);
        assert_eq!((opened.quarantined, opened.set_aside, found), (None, 1, expected), "byte {byte}");
        assert!(!vault.has_unused_keys());
    }
}
