"""Golden values of the measures of videos, from OpenCV, PySceneDetect, scikit-image and SciPy.

Run ``python make.py`` (requirements.txt beside it) to write into this folder:

``clips.safetensors``: videos ``<name>`` [frames, height, width, 3] of 8-bit red, green and blue: shots of noisy gradients
    that drift, with cuts, flashes, fades and short shots; and ``hsv.colours`` [n, 3] with ``hsv.values`` [n, 3] of OpenCV;

``golden.json``:
    ``cuts``: for each video the frames that ``AdaptiveDetector()`` of PySceneDetect reports;
    ``scores``: the scores of the frames of one video, by its ``ContentDetector``;
    ``pairs``: for pairs of videos the mean PSNR and SSIM over frames of scikit-image;
    ``frechet``: two sets of features and their distance, with SciPy's matrix square root.
"""

import json
from pathlib import Path

import cv2
import numpy as np
from safetensors.numpy import save_file
from scenedetect import FrameTimecode
from scenedetect.detectors import AdaptiveDetector
from scipy.linalg import sqrtm
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

FOLDER = Path(__file__).parent
HEIGHT, WIDTH = 14, 18


def shot(rng, frames, speed, noise):
    """Frames of a random gradient that moves by ``speed`` pixels a frame."""
    colours = rng.uniform(0, 255, (2, 3))
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    video = []
    for frame in range(frames):
        along = np.cos(angle) * (x + speed * frame) + np.sin(angle) * y
        share = (0.5 + 0.5 * np.sin(along / 4))[..., None]
        picture = colours[0] * share + colours[1] * (1 - share)
        video.append(picture + rng.normal(0, noise, picture.shape))
    return np.array(video)


def bytes_of(video):
    return np.clip(np.rint(video), 0, 255).astype(np.uint8)


def make_clips(rng):
    def shots(lengths, speed, noise):
        return np.concatenate([shot(rng, length, speed, noise) for length in lengths])

    fade = shot(rng, 30, 0.5, 1.0)
    share = np.linspace(0, 1, 30)[:, None, None, None]
    flash = shot(rng, 48, 0.3, 2.0)
    flash[24] = 250.0
    clips = {
        "cuts": shots([20, 16, 15, 14, 18], 0.3, 2.0),
        "short": shots([18, 6, 5, 20, 3, 16], 0.2, 3.0),
        "fast": shots([40], 6.0, 10.0),
        "fade": fade * (1 - share) + shot(rng, 30, 0.5, 1.0) * share,
        "flash": flash,
        "still": np.concatenate([np.full((17, HEIGHT, WIDTH, 3), level) for level in (40.0, 90.0, 82.0)]),
        "edges": shots([2, 14, 20, 2], 0.3, 2.0),
    }
    return {name: bytes_of(video) for name, video in clips.items()}


def bgr(frame):
    return np.ascontiguousarray(frame[..., ::-1])


def cuts(video):
    detector = AdaptiveDetector()
    found = []
    for number, frame in enumerate(video):
        found += [cut.frame_num for cut in detector.process_frame(FrameTimecode(number, fps=10.0), bgr(frame))]
    return found


def scores(video):
    detector = AdaptiveDetector()
    values = []
    for number, frame in enumerate(video):
        detector.process_frame(FrameTimecode(number, fps=10.0), bgr(frame))
        values.append(float(detector._frame_score))
    return values


def make_pairs(rng, clips):
    pairs = []
    for first, second in [("cuts", "short"), ("fade", "flash"), ("fast", "fast noisy")]:
        one = clips[first][:6]
        other = clips[second][:6] if second in clips else bytes_of(one + rng.normal(0, 12, one.shape))
        clips.setdefault(second, other)
        psnr = [peak_signal_noise_ratio(y, x, data_range=255) for x, y in zip(one, other)]
        ssim = [
            structural_similarity(
                x,
                y,
                channel_axis=-1,
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for x, y in zip(one, other)
        ]
        pairs.append(
            {"first": first, "second": second, "frames": 6, "psnr": float(np.mean(psnr)), "ssim": float(np.mean(ssim))}
        )
    return pairs


def make_frechet(rng):
    sets = [rng.normal(size=(20, 6)) @ rng.normal(size=(6, 6)) + rng.normal(size=6) for _ in range(2)]
    (mean, covariance), (other_mean, other_covariance) = [(s.mean(0), np.cov(s, rowvar=False)) for s in sets]
    root = sqrtm(covariance @ other_covariance).real
    distance = ((mean - other_mean) ** 2).sum() + np.trace(covariance + other_covariance - 2 * root)
    return {"first": sets[0].tolist(), "second": sets[1].tolist(), "distance": float(distance)}


def main():
    rng = np.random.default_rng(20)
    clips = make_clips(rng)
    golden = {
        "cuts": {name: cuts(video) for name, video in clips.items()},
        "scores": {"clip": "cuts", "values": scores(clips["cuts"])},
        "pairs": make_pairs(rng, clips),
        "frechet": make_frechet(rng),
    }
    grid = np.array([0, 1, 2, 51, 63, 64, 100, 127, 128, 129, 200, 253, 254, 255], np.uint8)
    colours = np.stack(np.meshgrid(grid, grid, grid, indexing="ij"), -1).reshape(-1, 3)
    colours = np.concatenate([colours, rng.integers(0, 256, (3000, 3)).astype(np.uint8)])
    values = cv2.cvtColor(colours[None], cv2.COLOR_RGB2HSV)[0]
    save_file(clips | {"hsv.colours": colours, "hsv.values": values}, FOLDER / "clips.safetensors")
    (FOLDER / "golden.json").write_text(json.dumps(golden, indent=1) + "\n")
    print({name: found for name, found in golden["cuts"].items()})


if __name__ == "__main__":
    main()
