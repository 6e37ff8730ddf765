"""Separation metrics: one row per test item and source, then means with intervals.

Definitions, where the usual ones leave a gap:

* SDR, SIR and SAR are those of BSS-eval v3 (distortion filters of 512 taps) without any search
  over permutations: the query says which estimate belongs to which reference.
* A signal is *silent* when no sample exceeds `SILENCE_PEAK` (-120 dBFS).
* Nothing can be said about a silent reference: its metrics are NaN, it enters no mean, and it is
  counted. The audible references of the same item are scored among themselves.
* A silent estimate of an audible reference scores `SILENT_ESTIMATE_DB`: less than unrelated noise
  gets, but not so little that a single item rules a mean. It is counted too.
* Every other value is kept within ±`LIMIT_DB`, so that a perfect estimate leaves means finite.
* Colouration is the mean size, over the octaves that a reference holds energy in, of the level by
  which an estimate is louder or softer there than in the mean: 0 dB at best. SDR's filters undo
  it, SI-SDR does not.
* SIR needs a second audible reference; without one it is NaN.

The mixture lies in the span of its references, so that its SAR is `LIMIT_DB`: `sar_imp` is given
for completeness and says no more than `sar`.

References:
    [1] E. Vincent, R. Gribonval, C. Févotte, "Performance measurement in blind audio source
    separation", IEEE TASLP 14(4), 2006. [2] R. Scheibler, "SDR - medium rare with fast
    computations", ICASSP 2022. [3] J. Le Roux et al., "SDR - half-baked or well done?",
    ICASSP 2019.
"""

from .items import (
    METRICS,
    Scorer,
    evaluate_item,
    mean_by_item,
    metric_title,
    summarise,
    write_json,
    write_rows,
)
from .spectrum import colouration, octave_deviation
from .waveform import (
    FILTER_LENGTH,
    LIMIT_DB,
    SILENCE_PEAK,
    SILENT_ESTIMATE_DB,
    bss_eval,
    bss_evals,
    match_outputs,
    si_sdr,
)

__all__ = [
    "FILTER_LENGTH",
    "LIMIT_DB",
    "METRICS",
    "SILENCE_PEAK",
    "SILENT_ESTIMATE_DB",
    "Scorer",
    "bss_eval",
    "bss_evals",
    "colouration",
    "evaluate_item",
    "match_outputs",
    "mean_by_item",
    "metric_title",
    "octave_deviation",
    "si_sdr",
    "summarise",
    "write_json",
    "write_rows",
]
