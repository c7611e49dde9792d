use super::ward::Count;
use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A ladder whose steps are taken at once, and a modem that is as it is told to be.
struct Bench {
    now: Mono,
    ladder: Recovery,
    took: Vec<(u64, Rung)>,
    /// For how long: each stay in quarantine.
    stays: Vec<u64>,
    /// It answers nothing, which takes a search to find out.
    dead: bool,
    /// How far it comes once its port is open.
    reaches: Stage,
    /// What a restart does to it. Without a word: nothing.
    restart: Option<Restarted>,
    /// Its port can't be opened; whether its device is there.
    unopened: Option<bool>,
}

#[derive(Clone, Copy)]
enum Restarted {
    Works,
    /// After so many seconds it goes away, and then its port can't be opened; whether its device is there.
    Goes(u64, bool),
}

impl Bench {
    fn new(slot: usize, ward: &Ward) -> Self {
        let mut ladder = Recovery::new(slot, "hub".to_owned(), ward.clone());
        ladder.know(Some("model".to_owned()), Boot { time: secs(30), changes_mode: false });
        ladder.operator(Some("operator".to_owned()));
        let mut bench = Self {
            now: Mono::default(),
            ladder,
            took: Vec::new(),
            stays: Vec::new(),
            dead: false,
            reaches: Stage::Ready,
            restart: None,
            unopened: None,
        };
        bench.tell(Input::Timeout);
        bench.tell(Input::Stage(Stage::Ready));
        bench
    }

    fn tell(&mut self, input: Input<'_>) {
        self.ladder.handle_input(self.now, input);
        while let Some(output) = self.ladder.poll_output() {
            match output {
                Output::Open(_) if self.unopened.is_some() => {
                    let there = self.unopened.unwrap();
                    self.ladder.handle_input(self.now, Input::NotOpened { there });
                }
                Output::Open(revival) => {
                    let restart = self.restart.filter(|_| revival == Some(Revival::Restart));
                    self.dead &= !matches!(restart, Some(Restarted::Works));
                    self.ladder.handle_input(self.now, Input::Opened);
                    if let Some(Restarted::Goes(after, there)) = restart {
                        self.now = self.now + secs(after);
                        self.unopened = Some(there);
                        self.ladder.handle_input(self.now, Input::Lost);
                    } else if self.dead {
                        self.now = self.now + secs(12);
                        self.ladder.handle_input(self.now, Input::Trouble { trouble: Trouble::Silent, closed: true });
                    } else {
                        self.ladder.handle_input(self.now, Input::Stage(self.reaches));
                    }
                }
                Output::Close => self.ladder.handle_input(self.now, Input::Closed),
                Output::Reset => self.ladder.handle_input(self.now, Input::Reset(Ok(()))),
                Output::SetUp => {}
                Output::Note(Note::Took(rung, _)) => self.took.push((self.now.0.as_secs(), rung)),
                Output::Note(Note::Quarantined(_, stay)) => self.stays.push(stay.as_secs()),
                Output::Note(_) => {}
            }
        }
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.now + secs(seconds);
        while let Some(next) = self.ladder.next_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(next);
            self.tell(Input::Timeout);
        }
        self.now = self.now.max(end);
    }

    fn trouble(&mut self, trouble: Trouble) {
        self.tell(Input::Trouble { trouble, closed: false });
    }

    fn rungs(&self) -> Vec<Rung> {
        self.took.iter().map(|(_, rung)| *rung).collect()
    }
}

const NUMBERS: [&str; 4] = ["+14155550100", "+14155550101", "+14155550102", "+14155550103"];

fn refuse(bench: &mut Bench, reason: Reason) {
    for number in NUMBERS {
        bench.tell(Input::Refused(reason, &Msisdn::parse(number).unwrap()));
    }
}

#[test]
fn c2_one_rung_after_the_other_none_within_the_boot_time_and_then_quarantine() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.dead = true;
    bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    bench.pass(600);
    assert_eq!(bench.rungs(), [Rung::Reopen, Rung::Radio, Rung::Restart, Rung::UsbReset]);
    assert!(bench.took.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 30), "{:?}", bench.took);
    assert_eq!(bench.stays, [600]);
    bench.pass(4 * 3600);
    assert_eq!(bench.stays[..3], [600, 1800, 3600], "{:?}", bench.stays);
}

#[test]
fn c2_a_rung_is_believed_when_the_modem_is_back_and_peace_begins_the_next_climb_at_its_foot() {
    let mut bench = Bench::new(0, &Ward::default());
    for (pause, expected) in [(60, Rung::Reopen), (60, Rung::Radio), (700, Rung::Restart), (0, Rung::Reopen)] {
        bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
        bench.pass(40);
        assert_eq!(bench.rungs().last(), Some(&expected), "{:?}", bench.took);
        assert_eq!(bench.ladder.standing(), None);
        bench.pass(pause);
    }
}

#[test]
fn c2_where_sending_was_the_trouble_only_a_message_shows_that_it_is_over() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.trouble(Trouble::NeverLeaves);
    bench.pass(300);
    assert_eq!(bench.ladder.standing().map(|s| s.rung), Some("reopen"), "being registered is not enough");
    bench.trouble(Trouble::NeverLeaves);
    bench.pass(40);
    assert_eq!(bench.rungs(), [Rung::Reopen, Rung::Radio]);
    bench.tell(Input::Accepted);
    assert_eq!(bench.ladder.standing(), None);
}

#[test]
fn s5_no_rung_while_a_message_may_be_on_the_air() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.tell(Input::HandedOver);
    bench.pass(10);
    bench.trouble(Trouble::Unregistered);
    bench.pass(160);
    assert_eq!(bench.took, []);
    bench.pass(60);
    assert_eq!(bench.took, [(180, Rung::Radio)]);
}

#[test]
fn c2_two_on_one_hub_are_not_reset_at_once() {
    let ward = Ward::default();
    let (mut one, mut other) = (Bench::new(0, &ward), Bench::new(1, &ward));
    for bench in [&mut one, &mut other] {
        bench.dead = true;
        bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    }
    for _ in 0..1200 {
        // A search takes one of them ahead.
        let behind = if one.now <= other.now { &mut one } else { &mut other };
        behind.pass(1);
    }
    let heavy =
        |bench: &Bench| bench.took.iter().filter(|(_, rung)| rung.is_heavy()).map(|(at, _)| *at).collect::<Vec<_>>();
    let (mine, others) = (heavy(&one), heavy(&other));
    assert_eq!((mine.len(), others.len()), (2, 2));
    for (a, b) in mine.iter().flat_map(|a| others.iter().map(move |b| (*a, *b))) {
        assert!(a.abs_diff(b) >= 30, "{mine:?} {others:?}");
    }
}

#[test]
fn l6_what_all_suffer_from_moves_the_radio_once_in_half_an_hour() {
    let mut bench = Bench::new(0, &Ward::default());
    for _ in 0..60 {
        refuse(&mut bench, Reason::Cms(38));
        bench.pass(60);
    }
    assert_eq!(bench.rungs(), [Rung::Radio, Rung::Radio], "{:?}", bench.took);
    assert_eq!(bench.stays, [0; 0], "it is not the modem's fault");
}

#[test]
fn l6_what_it_alone_suffers_from_leads_it_up() {
    let ward = Ward::default();
    let (mut sick, mut well) = (Bench::new(0, &ward), Bench::new(1, &ward));
    for _ in 0..5 {
        refuse(&mut sick, Reason::Cms(38));
        sick.pass(60);
        well.now = sick.now;
        well.tell(Input::Accepted);
    }
    assert_eq!(sick.rungs()[..3], [Rung::Radio, Rung::Restart, Rung::UsbReset], "{:?}", sick.took);
    assert_eq!((sick.stays.len(), well.took.len()), (0, 0));
}

#[test]
fn l6_congestion_and_one_number_alone_move_nothing() {
    let mut bench = Bench::new(0, &Ward::default());
    for _ in 0..20 {
        refuse(&mut bench, Reason::Cms(42));
        refuse(&mut bench, Reason::Cms(47));
        bench.tell(Input::Refused(Reason::Cms(38), &Msisdn::parse(NUMBERS[0]).unwrap()));
        bench.pass(60);
    }
    assert_eq!(bench.took, []);
}

#[test]
fn l2_three_boots_in_ten_minutes_are_a_loop() {
    let mut bench = Bench::new(0, &Ward::default());
    for _ in 0..3 {
        bench.tell(Input::Booted);
        bench.pass(1);
        // Of one boot there is more than one sign.
        bench.tell(Input::Booted);
        bench.pass(20);
    }
    assert_eq!(bench.stays, [600]);
    bench.tell(Input::There(true));
    assert!(bench.ladder.is_quarantined());
    bench.tell(Input::There(false));
    bench.pass(1);
    bench.tell(Input::There(true));
    assert!(!bench.ladder.is_quarantined(), "plugged in anew, if for a second only");
}

/// Its port goes away, and is there again after so long.
fn vanish(bench: &mut Bench, away: u64) {
    bench.unopened = Some(false);
    bench.tell(Input::Lost);
    bench.pass(away);
    bench.unopened = None;
    bench.tell(Input::There(true));
    bench.pass(2);
}

#[test]
fn l1_a_hand_that_plugs_it_in_again_and_again_makes_no_boot_loop() {
    let mut bench = Bench::new(0, &Ward::default());
    for stays in [3, 9, 4, 1, 12, 6, 2, 7, 5, 3, 11, 2] {
        vanish(&mut bench, 1);
        // What it says of its boot is no news.
        bench.tell(Input::Booted);
        bench.pass(stays);
    }
    assert_eq!((bench.stays.len(), bench.took.len()), (0, 0));
}

#[test]
fn l2_a_port_that_vanishes_as_a_message_leaves_is_a_supply_that_does_not_bear_it() {
    let mut bench = Bench::new(0, &Ward::default());
    for _ in 0..3 {
        bench.tell(Input::HandedOver);
        bench.pass(1);
        vanish(&mut bench, 2);
        bench.tell(Input::Booted);
        bench.pass(60);
    }
    assert_eq!(bench.stays, [600]);
    assert!(bench.ladder.standing().is_some_and(|s| s.reason.contains("brown-out")));
}

#[test]
fn l2_a_loop_in_its_rhythm_is_no_plugging_in_until_it_misses_a_beat() {
    let mut bench = Bench::new(0, &Ward::default());
    for _ in 0..9 {
        vanish(&mut bench, 2);
        bench.pass(3);
    }
    assert_eq!(bench.stays, [600]);
    for _ in 0..10 {
        bench.pass(5);
        bench.tell(Input::There(false));
        bench.pass(2);
        bench.tell(Input::There(true));
        assert!(bench.ladder.is_quarantined());
    }
    bench.pass(8);
    bench.tell(Input::There(true));
    assert!(bench.ladder.is_quarantined());
    bench.pass(8);
    bench.tell(Input::There(true));
    assert!(!bench.ladder.is_quarantined());
}

#[test]
fn a_word_to_resume_during_a_climb_has_it_tried_once_more_before_it_is_left_alone() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.dead = true;
    bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    bench.pass(100);
    assert_eq!(bench.rungs().last(), Some(&Rung::Restart), "{:?}", bench.took);
    bench.tell(Input::Resume);
    bench.pass(500);
    let twice = [Rung::Reopen, Rung::Radio, Rung::Restart, Rung::UsbReset].repeat(2);
    assert_eq!((bench.rungs(), bench.stays), (twice, vec![600]));
}

#[test]
fn l4_a_rung_is_charged_only_when_a_higher_one_has_helped() {
    let ward = Ward::default();
    let mut bench = Bench::new(0, &ward);
    bench.dead = true;
    bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    bench.pass(7200);
    assert!(bench.stays.len() > 1 && Rung::ALL.iter().all(|rung| ward.tally("model").of(*rung).in_vain == 0));
    bench.dead = false;
    bench.tell(Input::Resume);
    bench.pass(60);
    assert_eq!(ward.tally("model").of(Rung::Reopen).worked, 1);
}

#[test]
fn g10_who_slept_has_hung_nobody() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.pass(8 * 3600);
    bench.tell(Input::Slept);
    bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    bench.pass(30);
    assert_eq!(bench.took, [], "the port is opened again, and that is all");
}

#[test]
fn t9_a_bring_up_that_waits_for_the_modem_for_five_minutes_leads_it_up_to_quarantine() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.reaches = Stage::Stuck;
    bench.tell(Input::Stage(Stage::Stuck));
    bench.pass(290);
    assert_eq!((bench.took.len(), bench.ladder.standing()), (0, None));
    bench.pass(20);
    assert_eq!(bench.took, [(300, Rung::Radio)]);
    let standing = bench.ladder.standing().unwrap();
    assert!(standing.reason.contains("never gets ready"), "{standing:?}");
    assert_eq!(standing.next_at, Some(Mono(secs(600))), "what was tried does not stay so for ever");
    bench.pass(1000);
    assert_eq!(bench.rungs(), [Rung::Radio, Rung::Restart, Rung::UsbReset]);
    assert_eq!(bench.stays, [600]);
    bench.pass(4 * 3600);
    assert_eq!(bench.stays[..3], [600, 1800, 3600], "{:?}", bench.stays);
}

#[test]
fn t9_a_slow_boot_is_no_bring_up_that_is_stuck() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.ladder.know(Some("model".to_owned()), Boot { time: secs(400), changes_mode: false });
    bench.tell(Input::Stage(Stage::Stuck));
    bench.pass(390);
    assert_eq!(bench.took, []);
    bench.pass(20);
    assert_eq!(bench.rungs(), [Rung::Radio]);
}

#[test]
fn l10_a_modem_that_waits_for_a_person_after_a_rung_is_off_the_ladder() {
    let mut bench = Bench::new(0, &Ward::default());
    bench.reaches = Stage::Starting;
    bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    bench.pass(60);
    assert_eq!(bench.ladder.standing().map(|s| s.rung), Some("reopen"));
    bench.pass(300);
    assert_eq!(bench.ladder.standing(), None);
    bench.pass(4 * 3600);
    assert_eq!((bench.rungs(), bench.stays.len()), (vec![Rung::Reopen], 0));
}

/// A modem that hangs is restarted, which does this to it; later it is there and well, and peace holds. What the ladder
/// said meanwhile, and whether it believes that a restart makes a storage of this model.
fn restarts(bench: &mut Bench, ward: &Ward, restart: Restarted) -> (Option<&'static str>, bool) {
    (bench.dead, bench.restart) = (true, Some(restart));
    bench.tell(Input::Trouble { trouble: Trouble::Silent, closed: true });
    bench.pass(230);
    let rung = bench.ladder.standing().map(|s| s.rung);
    (bench.dead, bench.unopened) = (false, None);
    bench.pass(800);
    (rung, ward.tally("model").of(Rung::Restart).changes_mode)
}

#[test]
fn l3_a_port_that_is_busy_behind_a_restart_makes_no_storage_of_its_model_and_ends_no_climb() {
    let ward = Ward::default();
    let mut bench = Bench::new(0, &ward);
    for _ in 0..3 {
        assert_eq!(restarts(&mut bench, &ward, Restarted::Goes(2, true)), (Some("restart"), false));
    }
    assert_eq!(ward.tally("model").of(Rung::Restart), Count { tried: 3, worked: 3, in_vain: 0, changes_mode: false });
}

#[test]
fn l3_who_is_pulled_out_after_a_restart_is_no_storage() {
    let ward = Ward::default();
    let mut bench = Bench::new(0, &ward);
    for _ in 0..3 {
        assert_eq!(restarts(&mut bench, &ward, Restarted::Goes(20, false)), (None, false));
    }
    assert_eq!(ward.tally("model").of(Rung::Restart).tried, 3);
}

#[test]
fn l3_an_absence_behind_a_restart_is_believed_the_second_time_and_forgotten_when_a_restart_works() {
    let ward = Ward::default();
    let mut bench = Bench::new(0, &ward);
    let goes = Restarted::Goes(2, false);
    for (restart, believed) in [(goes, false), (Restarted::Works, false), (goes, false), (goes, true)] {
        assert_eq!(restarts(&mut bench, &ward, restart), (None, believed));
    }
    let tried = ward.tally("model").of(Rung::Restart).tried;
    restarts(&mut bench, &ward, goes);
    assert_eq!((tried, ward.tally("model").of(Rung::Restart).tried), (4, 4));
}
