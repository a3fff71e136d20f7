#!/usr/bin/env python3
"""The tables of docs/src/results-slowfast.md about memories, in Markdown, from what docs/results/worlds.sh leaves of one world: for each seed means with
95 % intervals over scenes (Student's t by linearisation), and over seeds and scenes, if there are several seeds.

    docs/results/slowfast_tables.py docs/results/miniworld EPISODES_A_SCENE
    python3 -m doctest docs/results/slowfast_tables.py

Results that name no scenes have so many consecutive episodes in each. A method whose fast learning diverged has no scores: its rows say where it did, and with a
seed less there is no mean over seeds.
"""
import json
import re
import statistics
import sys
from pathlib import Path

MODELS = {
    "slow": "slow learning alone",
    "stop-gradient": "stop-gradient loop",
    "second-order": "second-order loop",
    "second-order-whole": "second-order loop through windows of the whole episode",
}


def student(degrees):
    """The 97.5 % quantile: from a table for few degrees of freedom, Cornish and Fisher's expansion beyond."""
    if degrees <= 4:
        return [12.706, 4.303, 3.182, 2.776][degrees - 1]
    z = statistics.NormalDist().inv_cdf(0.975)
    terms = [z, (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96, (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384]
    return sum(term / degrees**power for power, term in enumerate(terms))


def interval(values):
    """Mean and half width of values by scene."""
    sums = {}
    for scene, value in values:
        total, count = sums.get(scene, (0.0, 0))
        sums[scene] = (total + value, count + 1)
    count, total = sum(n for _, n in sums.values()), sum(total for total, _ in sums.values())
    mean, groups = total / count, len(sums)
    squares = sum((total - mean * n) ** 2 for total, n in sums.values())
    return mean, student(groups - 1) * (squares * groups / (groups - 1)) ** 0.5 / count


def told(found):
    mean, half = found
    # Adding zero takes the sign off a zero.
    mean, low, high = (round(value, 2) + 0.0 for value in (mean, mean - half, mean + half))
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def where(diverged):
    """
    >>> where({"episode": 7, "seed": 0, "chunk": 2})
    'diverged at chunk 2 of episode 7, seed 0'
    """
    return f"diverged at chunk {diverged['chunk']} of episode {diverged['episode']}, seed {diverged['seed']}"


class Evaluation:
    def __init__(self, path, together):
        results = json.loads((path / "results.json").read_text())
        self.together = together
        self.episodes = results["episodes"]
        self.scores = {row["name"]: scores for row, scores in zip(results["rows"], results["scores"])}
        self.diverged = {row["name"]: where(row["diverged"]) for row in results["rows"] if row.get("diverged")}

    def scene(self, score):
        return score.get("scene") or score["episode"] // self.together

    def mean(self, name, key):
        found = [(self.scene(score), score[key]) for score in self.scores[name] if score[key] is not None]
        return interval(found)

    def gains(self, name, key):
        """The scene and the gain of each episode."""
        without = {(score["episode"], score["seed"]): score[key] for score in self.scores["no memory"]}
        found = {}
        for score in self.scores[name]:
            at = score["episode"], score["seed"]
            if None not in (score[key], without[at]):
                found[at] = self.scene(score), score[key] - without[at]
        return found

    def gain(self, name, key):
        return interval(self.gains(name, key).values())

    def both_gains(self, name):
        """The gains and those outside of the context; None where the method diverged."""
        return [None if name in self.diverged else self.gains(name, key) for key in ("revisit_psnr", "outside_psnr")]

    def gain_told(self, name):
        """The gain and that outside of the context, or where the method diverged."""
        if name in self.diverged:
            return [self.diverged[name], ""]
        return [told(self.gain(name, key)) for key in ("revisit_psnr", "outside_psnr")]

    def gains_on_the_way(self, name, back):
        """The gains in revisit PSNR of episodes that see more than one frame again, as those do which go their way back, or of the others, which
        come to an earlier pose in their last frame alone."""
        revisits = {(score["episode"], score["seed"]): score["revisits"][0] for score in self.scores["no memory"]}
        return {at: gain for at, gain in self.gains(name, "revisit_psnr").items() if (revisits[at] > 1) == back}

    def share(self, name, key):
        return self.mean(name, key)[0]


def alike(evaluations):
    """Seeds whose means can be averaged: those of the same episodes."""
    if len({tuple(found.episodes) for found in evaluations}) > 1:
        sys.exit("the seeds were evaluated on different episodes: they have no common mean")


def over_seeds(gains):
    """The mean over seeds, which were judged on the same episodes; none if a method diverged with one of them, whose gains are None. Its half width is the root of the sum of the squares of that over the
    seeds' means and of that over scenes of what the seeds gain in the mean: both samples might have been others.

    >>> seed = lambda *gains: {(episode, 0): (episode, gain) for episode, gain in enumerate(gains)}
    >>> over_seeds([seed(0.1, 0.3), seed(0.1, 0.3)])
    '0.20 [-1.07, 1.47]'
    >>> over_seeds([seed(0.1, 0.3), None])
    'diverged'
    """
    if None in gains:
        return "diverged"
    means = [statistics.mean(gain for _, gain in of_seed.values()) for of_seed in gains]
    seeds = student(len(means) - 1) * statistics.stdev(means) / len(means) ** 0.5
    scenes = {at: scene for at, (scene, _) in gains[0].items()}
    _, episodes = interval([(scene, statistics.mean(of_seed[at][1] for of_seed in gains)) for at, scene in scenes.items()])
    return told((statistics.mean(means), (seeds**2 + episodes**2) ** 0.5))


def memories(folder, together):
    print("| model | no memory, dB | with memory, dB | gain | gain outside context | SRC without, with | actions without, with |\n" + "|---" * 7 + "|")
    for model, label in MODELS.items():
        gains, evaluations = [], []
        for seed in sorted(folder.glob(f"seed-*/eval-{model}/results.json")):
            found = Evaluation(seed.parent, together)
            evaluations.append(found)
            pair = [name for name in ("no memory", "Temp-LoRA") if name not in found.diverged]
            revisits = [told(found.mean(name, "revisit_psnr")) for name in pair]
            revisits += [""] * (2 - len(pair))
            consistency = ", ".join(f"{found.share(name, 'consistency'):.1f}" for name in pair)
            actions = ", ".join(f"{100 * found.share(name, 'action_accuracy'):.0f}" for name in pair)
            gains.append(found.both_gains("Temp-LoRA"))
            cells = [f"{label}, {seed.parent.parent.name.replace('-', ' ')}", *revisits, *found.gain_told("Temp-LoRA"), consistency, actions + " %"]
            print("| " + " | ".join(cells) + " |")
        if len(gains) > 1:
            alike(evaluations)
            mean = [over_seeds(column) for column in zip(*gains)]
            print(f"| {label}, mean of the seeds | | | {mean[0]} | {mean[1]} | | |")


def others(folder, together):
    for name in ["longer context", "anchor frame", "retrieved by pose"]:
        for seed in sorted(folder.glob("seed-*/eval-slow/results.json")):
            found = Evaluation(seed.parent, together)
            gain = found.gain_told(name)
            print(f"{name}, {seed.parent.parent.name}: {gain[0]}, outside {gain[1] or '-'}")
    for seed in sorted(folder.glob("seed-*/eval-slow/results.json")):
        found = Evaluation(seed.parent, together)
        bounds = [told(found.mean(name, "revisit_psnr")) for name in ("through the autoencoder", "copy of the last given frame")]
        print(f"bounds, {seed.parent.parent.name}: {bounds[0]} and {bounds[1]}")


def forms(folder, together):
    gains, evaluations = {}, []
    for seed in sorted(folder.glob("seed-*/eval-forms/results.json")):
        found = Evaluation(seed.parent, together)
        evaluations.append(found)
        print(f"\n| form, {seed.parent.parent.name} | with memory, dB | gain | gain outside context | SCuts | SRC | actions |\n" + "|---" * 7 + "|")
        for name in [name for name in found.scores if name not in ("ground truth", "through the autoencoder", "copy of the last given frame")]:
            cells = ["", ""]
            if name != "no memory":
                cells = found.gain_told(name)
                gains.setdefault(name, []).append(found.both_gains(name))
            if name in found.diverged:
                print("| " + " | ".join([name, "", *cells, "", "", ""]) + " |")
                continue
            shares = [f"{found.share(name, 'scene_cuts'):.1f}", f"{found.share(name, 'consistency'):.1f}", f"{100 * found.share(name, 'action_accuracy'):.0f} %"]
            print("| " + " | ".join([name, told(found.mean(name, "revisit_psnr")), *cells, *shares]) + " |")
    if len(evaluations) < 2:
        return
    alike(evaluations)
    print("\n| form, mean of the seeds | gain | gain outside context |\n|---|---|---|")
    for name, of_seeds in gains.items():
        print(f"| {name} | " + " | ".join(over_seeds(column) for column in zip(*of_seeds)) + " |")


def by_way(folder, together):
    """The gains in revisit PSNR apart for episodes that go their way back and for those that return in their last frame."""
    seeds = sorted(folder.glob("seed-*"))
    rows = [(label, model, "Temp-LoRA") for model, label in MODELS.items()]
    rows += [(f"{name}, slow learning alone", "slow", name) for name in ("longer context", "anchor frame", "retrieved by pose")]
    forms = [Evaluation(seed / "eval-forms", together) for seed in seeds][0].scores
    known = ("ground truth", "through the autoencoder", "copy of the last given frame", "no memory")
    rows += [(f"form: {name}", "forms", name) for name in forms if name not in known]
    print("\n| gain, dB | on the way back: " + " | ".join(seed.name.replace("-", " ") for seed in seeds) + " | mean | in the last frame alone, mean |\n" + "|---" * (len(seeds) + 3) + "|")
    for label, model, name in rows:
        found = [Evaluation(seed / f"eval-{model}", together) for seed in seeds]
        back, last = (
            [None if name in evaluation.diverged else evaluation.gains_on_the_way(name, back) for evaluation in found] for back in (True, False)
        )
        of_seeds = ["diverged" if gains is None else told(interval(gains.values())) for gains in back]
        cells = [*of_seeds, over_seeds(back), over_seeds(last)]
        print(f"| {label} | " + " | ".join(cells) + " |")


def sweeps(folder, together):
    """The gains of every combination of a sweep: a row for steps and rate, a column for the rank."""
    for seed in sorted(folder.glob("seed-*/eval-sweep/results.json")):
        found = Evaluation(seed.parent, together)
        swept = [re.fullmatch(r"rank (\d+), rate (.+), steps (\d+)", name) for name in found.scores]
        swept = {(int(match[3]), match[2], int(match[1])): match[0] for match in swept if match}
        ranks = sorted({rank for _, _, rank in swept})
        print(f"\n| steps, rate, {seed.parent.parent.name} | " + " | ".join(f"rank {rank}" for rank in ranks) + " |\n" + "|---" * (len(ranks) + 1) + "|")
        for steps, rate in sorted({(steps, rate) for steps, rate, _ in swept}, key=lambda row: (row[0], float(row[1]))):
            gains = [found.gain_told(swept[steps, rate, rank])[0] for rank in ranks]
            print(f"| {steps}, {rate} | " + " | ".join(gains) + " |")


def main():
    folder, together = Path(sys.argv[1]), int(sys.argv[2])
    memories(folder, together)
    print()
    others(folder, together)
    forms(folder, together)
    by_way(folder, together)
    sweeps(folder, together)


if __name__ == "__main__":
    main()
