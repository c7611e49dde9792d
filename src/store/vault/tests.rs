use super::*;
use crate::domain::id::VerificationId;
use crate::domain::secret::Secret;
use crate::ops::random::SeededRandom;
use crate::store::envelope::OVERHEAD;
use crate::store::memory_backend::{CrashMode, Disk, Fault, MemoryBackend};

mod rotation;

use proptest::prelude::*;
use zeroize::Zeroizing;

type Records = BTreeMap<Key, Record>;

fn open(disk: &Disk) -> Result<(Vault<MemoryBackend>, Opened, Records), OpenError> {
    open_with(disk, 7, StoreKind::Real)
}

fn open_with(disk: &Disk, key: u8, kind: StoreKind) -> Result<(Vault<MemoryBackend>, Opened, Records), OpenError> {
    let mut records = Records::new();
    let random = Arc::new(SeededRandom::new(1));
    let ring = Keyring::new(&[key; 32]);
    let (vault, opened) = Vault::open(MemoryBackend::on(disk), ring, random, kind, Wall(1_000), |k, r| {
        records.insert(k, r);
    })?;
    Ok((vault, opened, records))
}

fn put(n: u128, text: &str) -> (Key, Option<Record>) {
    (Key::SuppliedCode(VerificationId(n)), Some(Record::SuppliedCode(Secret::new(text))))
}

fn key(n: u128) -> Key {
    Key::SuppliedCode(VerificationId(n))
}

fn erase(n: u128) -> (Key, Option<Record>) {
    (key(n), None)
}

fn records<const N: usize>(of: [(Key, Option<Record>); N]) -> Records {
    of.into_iter().filter_map(|(k, r)| Some((k, r?))).collect()
}

/// A disk with codes 1 to 3 on it.
fn disk() -> Disk {
    let disk = Disk::default();
    let (mut vault, ..) = open(&disk).unwrap();
    vault.commit(Wall(2_000), vec![put(1, "111111"), put(2, "222222")]).unwrap();
    vault.commit(Wall(3_000), vec![put(3, "333333")]).unwrap();
    disk
}

#[test]
fn reads_back_what_it_wrote() {
    let disk = Disk::default();
    let (mut vault, opened, _) = open(&disk).unwrap();
    assert!(opened.fresh);
    vault.commit(Wall(2_000), vec![put(1, "111111"), put(2, "222222")]).unwrap();
    vault.commit(Wall(3_000), vec![put(1, "999999"), put(1, "333333"), erase(2), erase(7)]).unwrap();
    let (vault, opened, found) = open(&disk).unwrap();
    assert_eq!(opened, Opened { last_wall: Some(Wall(3_000)), ..Opened::default() });
    assert_eq!(found, records([put(1, "333333")]), "the last change of a key counts");
    assert_eq!(vault.get(key(1)), Ok(put(1, "333333").1));
    assert_eq!(vault.get(key(2)), Ok(None));
}

#[test]
fn nothing_legible_is_on_the_disk() {
    let disk = disk();
    disk.edit(|map| {
        for bytes in map.values() {
            assert!(!bytes.windows(6).any(|w| [b"111111", b"222222", b"333333"].contains(&w.try_into().unwrap())));
        }
    });
}

#[test]
fn a_batch_that_a_crash_drops_keeps_or_splits_is_whole_or_noticed() {
    let before = records([put(1, "111111"), put(2, "222222"), put(3, "333333")]);
    let after = records([put(1, "000000"), put(3, "333333"), put(4, "444444")]);
    let crash = |mode| {
        let disk = disk();
        let (mut vault, ..) = open(&disk).unwrap();
        disk.set_fault(Fault::SyncFails);
        let batch = vec![put(1, "000000"), erase(2), put(4, "444444")];
        assert!(matches!(vault.commit(Wall(4_000), batch), Err(VaultError::Backend(_))));
        assert_eq!(vault.commit(Wall(5_000), vec![]), Err(VaultError::Failed), "a sync that failed is not retried");
        assert_eq!(disk.unsynced(), 4, "three changes and the tally, but no mark");
        disk.crash(mode);
        open(&disk).unwrap()
    };
    for (mode, expected) in [(CrashMode::Drop, before), (CrashMode::Keep, after)] {
        let (mut vault, opened, found) = crash(mode);
        assert_eq!((opened.quarantined, found), (None, expected), "{mode:?}");
        vault.commit(Wall(6_000), vec![put(5, "555555")]).unwrap();
    }
    for keep_first in 1..4 {
        let (mut vault, opened, _) = crash(CrashMode::Split { keep_first });
        assert!(opened.quarantined.is_some(), "the first {keep_first}");
        assert_eq!(vault.commit(Wall(6_000), vec![]), Err(VaultError::Quarantined));
    }
}

#[test]
fn of_several_batches_on_a_disk_that_lies_each_is_whole_or_the_crash_is_noticed() {
    let mut whole = 0;
    for keep_first in 0..=9 {
        let disk = disk();
        let (mut vault, ..) = open(&disk).unwrap();
        disk.set_fault(Fault::Lies);
        let mut states = vec![records([put(1, "111111"), put(2, "222222"), put(3, "333333")])];
        for n in 4..7 {
            vault.commit(Wall(4_000), vec![put(n, "444444")]).unwrap();
            let mut state = states[states.len() - 1].clone();
            state.extend(records([put(n, "444444")]));
            states.push(state);
        }
        assert_eq!(disk.unsynced(), 9, "a record, the tally and the mark, three times");
        disk.crash(CrashMode::Split { keep_first });
        let (mut vault, opened, found) = open(&disk).unwrap();
        if opened.quarantined.is_some() {
            assert_eq!(keep_first % 3, 1, "only a record without its tally is torn");
            continue;
        }
        assert_eq!(found, states[(keep_first + 1) / 3]);
        vault.commit(Wall(5_000), vec![put(8, "888888")]).unwrap();
        assert_eq!(open(&disk).unwrap().1.quarantined, None);
        whole += 1;
    }
    assert_eq!(whole, 7);
}

#[test]
fn a_crash_while_the_store_is_made_leaves_none_or_a_sound_one() {
    for (mode, fresh) in [(CrashMode::Drop, true), (CrashMode::Keep, false)] {
        let disk = Disk::default();
        disk.set_fault(Fault::SyncFails);
        assert!(matches!(open(&disk), Err(OpenError::Backend(_))));
        disk.crash(mode);
        let (mut vault, opened, _) = open(&disk).unwrap();
        assert_eq!((opened.fresh, opened.quarantined), (fresh, None), "{mode:?}");
        vault.commit(Wall(2_000), vec![put(1, "111111")]).unwrap();
        assert_eq!(open(&disk).unwrap().1.quarantined, None, "{mode:?}");
    }
}

#[test]
fn the_mark_missing_older_and_newer() {
    let disk = Disk::default();
    let (mut vault, ..) = open(&disk).unwrap();
    let (mut disks, mut marks) = (Vec::new(), Vec::new());
    for n in 0..4 {
        vault.commit(Wall(2_000), vec![put(n, "111111")]).unwrap();
        disks.push(disk.copy());
        marks.push(disk.marks());
    }
    let rows = [
        ("equal", 3, marks[3], true),
        ("one batch older", 3, marks[2], true),
        ("two batches older", 3, marks[1], false),
        ("one batch newer", 2, marks[3], false),
        ("two batches newer", 1, marks[3], false),
        ("missing", 3, [None; 2], false),
        ("zeroed", 3, [Some([0; 64]); 2], false),
        ("the older slot missing", 3, [None, marks[3][1]], true),
        ("the newest slot missing", 3, [marks[3][0], None], true),
    ];
    for (name, batch, mark, sound) in rows {
        let disk = disks[batch].copy();
        disk.set_marks(mark);
        let (mut vault, opened, _) = open(&disk).unwrap();
        assert_eq!(opened.quarantined.is_none(), sound, "{name}: {:?}", opened.quarantined);
        if sound {
            assert_ne!(disk.marks(), [None; 2]);
            // The slot written last may be torn at any time: the other one must do.
            vault.commit(Wall(3_000), vec![put(9, "999999")]).unwrap();
            let mut torn = disk.marks();
            torn[(vault.sequence() % 2) as usize] = Some([7; 64]);
            disk.set_marks(torn);
            assert_eq!(open(&disk).unwrap().1.quarantined, None, "{name}, then torn");
        }
    }
}

#[test]
fn any_flipped_bit_of_a_record_is_noticed_and_the_rest_goes_on() {
    let bytes = key(2).to_bytes();
    let sound = disk();
    let (vault, ..) = open(&sound).unwrap();
    let size = vault.backend().get(&bytes).unwrap().unwrap().len();
    for bit in 0..size * 8 {
        let disk = sound.copy();
        disk.edit(|map| map.get_mut(bytes.as_slice()).unwrap()[bit / 8] ^= 1 << (bit % 8));
        let (mut vault, opened, found) = open(&disk).unwrap();
        assert_eq!(opened.set_aside, 1, "bit {bit}");
        assert_eq!(found, records([put(1, "111111"), put(3, "333333")]));
        assert_eq!(vault.get(key(2)), Err(VaultError::Damaged));
        assert_eq!(disk.aside().len(), 1);
        // Bits 40 to 103 are the number of the batch that wrote it.
        assert_eq!(opened.quarantined.is_some(), (40..104).contains(&bit), "bit {bit}");
        if opened.quarantined.is_none() {
            vault.commit(Wall(4_000), vec![put(1, "000000")]).unwrap();
            let (_, again, _) = open(&disk).unwrap();
            assert_eq!((again.set_aside, disk.aside().len()), (1, 1), "it stays, and is copied once");
        }
    }
}

#[test]
fn records_that_are_lost_come_back_or_change_places_quarantine_the_store() {
    type Edit = fn(&mut BTreeMap<Vec<u8>, Vec<u8>>);
    fn raw(n: u128) -> Vec<u8> {
        key(n).to_bytes().to_vec()
    }
    let rows: [(&str, Edit); 6] = [
        ("lost", |map| drop(map.remove(&raw(1)))),
        ("doubled under another key", |map| drop(map.insert(raw(9), map[&raw(1)].clone()))),
        ("changed places", |map| {
            let (a, b) = (map[&raw(1)].clone(), map[&raw(3)].clone());
            map.extend([(raw(1), b), (raw(3), a)]);
        }),
        ("without its tally", |map| drop(map.remove(TALLY))),
        ("without its identity", |map| drop(map.remove(IDENTITY))),
        ("without anything", BTreeMap::clear),
    ];
    for (name, edit) in rows {
        let disk = disk();
        disk.edit(edit);
        let (mut vault, opened, _) = open(&disk).unwrap();
        assert!(opened.quarantined.is_some(), "{name}");
        assert_eq!(vault.commit(Wall(4_000), vec![]), Err(VaultError::Quarantined), "{name}");
    }
    let disk = disk();
    let old = disk.copy();
    let (mut vault, ..) = open(&disk).unwrap();
    vault.commit(Wall(4_000), vec![put(1, "000000")]).unwrap();
    let mut value = Vec::new();
    old.edit(|map| value = map[&raw(1)].clone());
    disk.edit(|map| drop(map.insert(raw(1), value)));
    let (_, opened, _) = open(&disk).unwrap();
    assert!(opened.quarantined.unwrap().contains("older or newer"), "one record as it was before");
}

#[test]
fn what_a_newer_program_wrote_is_kept_and_reported() {
    let disk = disk();
    let (mut vault, ..) = open(&disk).unwrap();
    let unknown = Zeroizing::new(b"something new".to_vec());
    let code = Key::Idempotency([1; 16]).to_bytes().to_vec();
    let entry = || Entry { plain: unknown.clone(), keeps_its_key: false };
    vault.write(Wall(4_000), vec![(vec![99, 1], Some(entry())), (code, Some(entry()))]).unwrap();
    disk.edit(|map| map.get_mut(key(3).to_bytes().as_slice()).unwrap()[0] = 2);
    let (mut vault, opened, found) = open(&disk).unwrap();
    assert_eq!((opened.set_aside, opened.quarantined), (3, None));
    assert_eq!(found, records([put(1, "111111"), put(2, "222222")]));
    let aside = disk.aside().join("\n");
    assert!(aside.contains("of a kind") && aside.contains("of a version") && aside.contains("holds something"));
    vault.commit(Wall(5_000), vec![put(1, "000000")]).unwrap();
    assert_eq!(open(&disk).unwrap().1.set_aside, 3);
}

#[test]
fn another_key_or_another_kind_of_store_is_refused_without_harm() {
    let disk = disk();
    let (ours, theirs) = (Keyring::new(&[7; 32]).id(), Keyring::new(&[8; 32]).id());
    let error = open_with(&disk, 8, StoreKind::Real).unwrap_err();
    assert_eq!(error, OpenError::WrongKey { store: ours, given: theirs });
    let error = open_with(&disk, 7, StoreKind::Simulated).unwrap_err();
    assert_eq!(error, OpenError::WrongKind(StoreKind::Real));
    assert!(error.to_string().contains("--simulate"));
    assert!(disk.aside().is_empty());
    assert_eq!(open(&disk).unwrap().1.quarantined, None);
}

#[test]
fn a_record_that_is_too_large_is_refused_and_nothing_of_its_batch_written() {
    let disk = disk();
    let (mut vault, ..) = open(&disk).unwrap();
    // Two bytes give the length.
    let most = MAX_VALUE - OVERHEAD - 2;
    let batch = vec![put(1, "000000"), put(4, &"4".repeat(most + 1))];
    assert_eq!(vault.commit(Wall(4_000), batch), Err(VaultError::TooLarge));
    assert_eq!(vault.get(key(1)), Ok(put(1, "111111").1));
    vault.commit(Wall(5_000), vec![put(4, &"4".repeat(most))]).unwrap();
    assert_eq!(open(&disk).unwrap().1.quarantined, None);
}

#[test]
fn a_full_disk_ends_the_vault_and_loses_nothing() {
    let disk = disk();
    let (mut vault, ..) = open(&disk).unwrap();
    disk.set_fault(Fault::Full);
    let full = Err(VaultError::Backend(BackendError::Full));
    assert_eq!(vault.commit(Wall(4_000), vec![put(4, "444444")]), full);
    disk.set_fault(Fault::None);
    assert_eq!(vault.commit(Wall(4_000), vec![put(4, "444444")]), Err(VaultError::Failed));
    let (mut vault, opened, found) = open(&disk).unwrap();
    assert_eq!((opened.quarantined, found.len()), (None, 3));
    vault.commit(Wall(5_000), vec![put(4, "444444")]).unwrap();
}

type Batch = Vec<(u128, Option<String>)>;

/// What happens to a store: so many batches, then a crash in the middle of the last one.
fn life() -> impl Strategy<Value = (Vec<Batch>, Option<usize>)> {
    let change = (0u128..6, proptest::option::of("[0-9]{6}"));
    let batches = proptest::collection::vec(proptest::collection::vec(change, 0..5), 1..6);
    (batches, proptest::option::of(0usize..8))
}

proptest! {
    #[test]
    fn whatever_is_written_and_wherever_it_crashes_the_store_is_as_before_or_after_or_quarantined(
        lives in proptest::collection::vec(life(), 1..4)
    ) {
        let disk = Disk::default();
        let mut before = Records::new();
        for (batches, keep_first) in lives {
            let (mut vault, opened, found) = open(&disk).unwrap();
            prop_assert_eq!((opened.quarantined, &found), (None, &before));
            let mut after = before.clone();
            let last = batches.len() - 1;
            for (i, batch) in batches.into_iter().enumerate() {
                before.clone_from(&after);
                let changes: Vec<_> = batch.iter().map(|(n, c)| (key(*n), c.as_ref().map(|c| put(0, c).1.unwrap()))).collect();
                for (key, record) in &changes {
                    match record {
                        Some(record) => after.insert(*key, record.clone()),
                        None => after.remove(key),
                    };
                }
                disk.set_fault(if i == last { Fault::SyncFails } else { Fault::None });
                prop_assert_eq!(vault.commit(Wall(4_000), changes).is_ok(), i != last);
            }
            let writes = disk.unsynced();
            disk.crash(keep_first.map_or(CrashMode::Keep, |keep_first| CrashMode::Split { keep_first }));
            let (_, opened, found) = open(&disk).unwrap();
            match keep_first {
                Some(0) => prop_assert_eq!((opened.quarantined, &found), (None, &before)),
                Some(n) if n < writes => {
                    prop_assert!(opened.quarantined.is_some());
                    break;
                }
                _ => {
                    prop_assert_eq!((opened.quarantined, &found), (None, &after));
                    before = after;
                }
            }
        }
    }
}
