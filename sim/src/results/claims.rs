//! Published claims about LEDBAT, LEDBAT++ and their kin, and what comes of them here.

use super::quantity::Quantity::{self, Metric};

/// A claim and what is measured of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    /// Its number in the table.
    pub(super) id: &'static str,
    /// Who says so.
    pub(super) source: &'static str,
    /// What they report.
    pub(super) reported: &'static str,
    /// What a model of the same law gave elsewhere, or what is expected here.
    pub(super) expected: &'static str,
    /// What part of it is not reproduced, and why.
    pub(super) missing: &'static str,
    /// The numbers.
    pub(super) cells: &'static [Cell],
}

/// One number of one law.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// What it is, for the table.
    pub(super) label: &'static str,
    /// The scenario.
    pub(super) scenario: &'static str,
    /// The variant.
    pub(super) variant: &'static str,
    /// The point of a sweep, key and value.
    pub(super) point: Option<(&'static str, &'static str)>,
    /// The number.
    pub(super) quantity: Quantity,
    /// Decimals to show.
    pub(super) decimals: usize,
}

const UTILISATION: &str = "links.bottleneck.utilisation";
const DELAY: &str = "links.bottleneck.queue_delay_ms.p50";
const UTP_SHARE: &str = "flows.utp.share";

const fn cell(
    label: &'static str,
    (scenario, variant): (&'static str, &'static str),
    quantity: Quantity,
    decimals: usize,
) -> Cell {
    Cell { label, scenario, variant, point: None, quantity, decimals }
}

const fn at_delay(label: &'static str, delay: &'static str) -> Cell {
    let quantity = Metric(UTILISATION, Some((60, 180)));
    let place = ("long-rtt-sweep", "ledbatpp");
    Cell { point: Some(("link.bottleneck.delay", delay)), ..cell(label, place, quantity, 3) }
}

const fn delay_at(label: &'static str, from: u64, to: u64) -> Cell {
    cell(label, ("drift-hour", "rfc6817"), Metric(DELAY, Some((from, to))), 0)
}

const fn share(label: &'static str, place: (&'static str, &'static str), from: u64) -> Cell {
    cell(label, place, Metric(UTP_SHARE, Some((from, 180))), 3)
}

const L: &str = "rfc6817";
const U: &str = "libutp";
const P: &str = "ledbatpp";

/// The claims in the order of the table.
pub(super) const CLAIMS: [Claim; 13] = [
    Claim {
        id: "P1",
        source: "RFC 6817 sections 3.2, 3.3",
        reported: "one flow: delay = target, link full",
        expected: "RFC 6817 99.1 ms, 1.000; libutp 100.0 ms, 1.000",
        missing: "",
        cells: &[
            cell("RFC 6817 delay, ms", ("basic", L), Metric(DELAY, Some((60, 180))), 1),
            cell("utilisation", ("basic", L), Metric(UTILISATION, Some((60, 180))), 3),
            cell("libutp delay, ms", ("basic", U), Metric(DELAY, Some((60, 180))), 1),
            cell("utilisation", ("basic", U), Metric(UTILISATION, Some((60, 180))), 3),
        ],
    },
    Claim {
        id: "P2",
        source: "RFC 6817 section 4.4",
        reported: "a latecomer takes all; the queue ends at twice the target",
        expected: "RFC 6817 99 %, 194 ms; libutp 99.9 %, 200 ms",
        missing: "",
        cells: &[
            cell("RFC 6817 share", ("latecomer", L), Metric("flows.late.share", LAST_MINUTE), 3),
            cell("delay, ms", ("latecomer", L), Metric(DELAY, LAST_MINUTE), 1),
            cell("libutp share", ("latecomer", U), Metric("flows.late.share", LAST_MINUTE), 3),
            cell("delay, ms", ("latecomer", U), Metric(DELAY, LAST_MINUTE), 1),
        ],
    },
    Claim {
        id: "P3",
        source: "Rossi, Testa, Valenti, Muscariello, ICCCN 2010",
        reported: "target 25 ms, 100 packets of buffer: efficient alone, yields to TCP, a second \
                   flow starves the first",
        expected: "alone 25.0 ms; latecomer 97.7 %; 1.8 % beside Reno",
        missing: "",
        cells: &[
            cell("delay alone, ms", ("rossi-2010", "alone"), Metric(DELAY, Some((20, 180))), 1),
            cell(
                "latecomer's share",
                ("rossi-2010", "latecomer"),
                Metric("flows.late.share", Some((60, 180))),
                3,
            ),
            share("share beside Reno", ("rossi-2010", "with-reno"), 60),
        ],
    },
    Claim {
        id: "P4",
        source: "Rossi et al., LCN 2010",
        reported: "LEDBAT has a lower priority than TCP-NICE and TCP-LP; flows with unlike targets \
                   share unfairly",
        expected: "the higher target takes nearly all",
        missing: "TCP-NICE and TCP-LP are not built",
        cells: &[cell(
            "share of the target of 100 ms beside 50 ms",
            ("two-targets", "default"),
            Metric("flows.high.share", Some((60, 240))),
            3,
        )],
    },
    Claim {
        id: "P5",
        source: "Carofiglio et al., 2010 (fLEDBAT)",
        reported: "multiplicative decrease mends the latecomer's advantage",
        expected: "Jain's index above 0.97",
        missing: "fLEDBAT is not built; LEDBAT++ has its multiplicative decrease",
        cells: &[cell(
            "Jain's index of LEDBAT++, five staggered flows",
            ("fairness-staggered", P),
            Metric("jain", Some((240, 300))),
            3,
        )],
    },
    Claim {
        id: "P6",
        source: "Kuehlewind and Fisches, EUNICE 2011",
        reported: "multiplicative decrease is sensitive to noise and costs utilisation",
        expected: "bursts of 5 to 25 ms: LEDBAT++ below the linear laws, which fill the link",
        missing: "",
        cells: &[
            cell("RFC 6817", ("wifi-bursts", L), Metric(UTILISATION, Some((60, 180))), 3),
            cell("libutp", ("wifi-bursts", U), Metric(UTILISATION, Some((60, 180))), 3),
            cell("LEDBAT++", ("wifi-bursts", P), Metric(UTILISATION, Some((60, 180))), 3),
        ],
    },
    Claim {
        id: "P7",
        source: "Ros and Welzl, IEEE Comm. Letters 2013",
        reported: "the delay of one long flow grows without end",
        expected: "99, 198, 296, 394, 492 ms at minutes 5, 15, 25, 35, 45",
        missing: "",
        cells: &[
            delay_at("minute 5", 240, 360),
            delay_at("15", 840, 960),
            delay_at("25", 1440, 1560),
            delay_at("35", 2040, 2160),
            delay_at("45", 2640, 2760),
        ],
    },
    Claim {
        id: "P8",
        source: "Bagnulo and Garcia-Martinez, LEDBAT++ on Windows",
        reported: "LEDBAT++ alone cannot take all of the capacity",
        expected: "0.991, 0.962, 0.942, 0.931, 0.914, 0.693 at 5, 20, 50, 100, 200, 300 ms",
        missing: "",
        cells: &[
            at_delay("5 ms", "2500us"),
            at_delay("20 ms", "10ms"),
            at_delay("50 ms", "25ms"),
            at_delay("100 ms", "50ms"),
            at_delay("200 ms", "100ms"),
            at_delay("300 ms", "150ms"),
        ],
    },
    Claim {
        id: "P9",
        source: "Bagnulo and Garcia-Martinez, Computer Networks 219, 2022",
        reported: "LEDBAT++ yields to BBR on paths longer than 60 ms only",
        expected: "a small share at 100 ms, about half at 20 ms",
        missing: "BBRv1 is the one of the QUIC stack; BBRv2 is not built",
        cells: &[],
    },
    Claim {
        id: "P10",
        source: "Gong et al., TMA 2013",
        reported: "active queue management makes priorities about equal",
        expected: "CoDel 45, 54, 35 %; PIE 47, 60, 31 %; FQ-CoDel 48, 50, 42 % (RFC 6817, libutp, \
                   LEDBAT++)",
        missing: "",
        cells: &[
            share("CoDel: RFC 6817", ("codel", L), 90),
            share("libutp", ("codel", U), 90),
            share("LEDBAT++", ("codel", P), 90),
            share("PIE: RFC 6817", ("pie", L), 90),
            share("libutp", ("pie", U), 90),
            share("LEDBAT++", ("pie", P), 90),
            share("FQ-CoDel: RFC 6817", ("fq-codel", L), 90),
            share("libutp", ("fq-codel", U), 90),
            share("LEDBAT++", ("fq-codel", P), 90),
        ],
    },
    Claim {
        id: "P11",
        source: "RFC 6817 sections 1.3, 4.3, 5.1",
        reported: "with a buffer below the target it behaves as TCP",
        expected: "beside Reno: RFC 6817 48 %, libutp 61 %, LEDBAT++ 31 %",
        missing: "",
        cells: &[
            share("RFC 6817", ("small-buffer-reno", L), 60),
            share("libutp", ("small-buffer-reno", U), 60),
            share("LEDBAT++", ("small-buffer-reno", P), 60),
        ],
    },
    Claim {
        id: "P12",
        source: "RFC 6817 appendix A.2",
        reported: "a skew of 100 ppm adds 6 ms a minute, bounded by the history: insignificant",
        expected: "+100 ppm harmless; +500 ppm utilisation 0.045; -500 ppm 541 ms",
        missing: "",
        cells: &[
            cell("+100 ppm", ("clock-100ppm", L), Metric(UTILISATION, LAST_TEN_MINUTES), 3),
            cell("+500 ppm", ("clock-fast", L), Metric(UTILISATION, LAST_TEN_MINUTES), 3),
            cell("-500 ppm, ms", ("clock-slow", L), Metric(DELAY, Some((900, 1200))), 0),
        ],
    },
    Claim {
        id: "P13",
        source: "PCC Proteus, SIGCOMM 2020",
        reported: "50 Mbit/s, 30 ms, 375 kB: LEDBAT often fails to yield",
        expected: "CUBIC keeps 55 % (RFC 6817), 69 % (libutp), 88 % (LEDBAT++)",
        missing: "Proteus-S is not built",
        cells: &[
            cell(
                "CUBIC beside RFC 6817",
                ("proteus-2020", L),
                Metric("flows.tcp.share", Some((60, 180))),
                3,
            ),
            cell("libutp", ("proteus-2020", U), Metric("flows.tcp.share", Some((60, 180))), 3),
            cell("LEDBAT++", ("proteus-2020", P), Metric("flows.tcp.share", Some((60, 180))), 3),
        ],
    },
];

const LAST_MINUTE: Option<(u64, u64)> = Some((270, 330));
const LAST_TEN_MINUTES: Option<(u64, u64)> = Some((600, 1200));
