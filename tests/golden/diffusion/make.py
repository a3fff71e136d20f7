"""Noise schedule, noised latents and sampler steps by diffusers' DDIMScheduler.

Run ``python make.py`` (requirements.txt beside it) to write diffusion.json into this folder: the
shares of signal of the scaled-linear schedule, a latent with noise at some timesteps, and the
whole path of a deterministic sampler whose "denoiser" is the fixed function ``predict`` below, for
both kinds of prediction, both spacings of timesteps and with and without a bound on the estimate.
Everything is double precision.
"""

import json
import pathlib

import torch
from diffusers import DDIMScheduler

# A divisor of the timesteps: for others, diffusers steps to timesteps beside those that it visits next.
STEPS = 10
SCHEDULE = dict(num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")


def predict(latents: torch.Tensor, t: int) -> torch.Tensor:
    """A stand-in for the denoiser, with the same formula in the test."""
    return torch.sin(latents * 1.7 + t / 500.0)


def scheduler(prediction: str, spacing: str, bound: float | None) -> DDIMScheduler:
    made = DDIMScheduler(
        **SCHEDULE,
        prediction_type=prediction,
        timestep_spacing=spacing,
        steps_offset=0,
        set_alpha_to_one=True,
        clip_sample=bound is not None,
        clip_sample_range=bound or 1.0,
    )
    # The class computes its schedule in single precision; the same formula in double.
    betas = torch.linspace(SCHEDULE["beta_start"] ** 0.5, SCHEDULE["beta_end"] ** 0.5, 1000, dtype=torch.float64) ** 2
    exact = torch.cumprod(1.0 - betas, dim=0)
    assert torch.allclose(exact, made.alphas_cumprod.double(), rtol=1e-4)
    made.alphas_cumprod = exact
    made.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    made.set_timesteps(STEPS)
    return made


def path(prediction: str, spacing: str, bound: float | None, start: torch.Tensor) -> dict:
    made = scheduler(prediction, spacing, bound)
    latents, visited, values = start, [], []
    for t in made.timesteps.tolist():
        latents = made.step(predict(latents, t), t, latents, eta=0.0).prev_sample
        visited.append(t)
        values.append(latents.flatten().tolist())
    return dict(prediction=prediction, spacing=spacing, bound=bound, timesteps=visited, latents=values)


def main() -> None:
    generator = torch.Generator().manual_seed(0)
    draw = lambda: torch.randn(1, 1, 2, 2, 2, generator=generator, dtype=torch.float64)
    clean, noise = draw(), draw()
    made = scheduler("epsilon", "trailing", None)
    at = [0, 1, 250, 640, 999]
    noised = [made.add_noise(clean, noise, torch.tensor([t])).flatten().tolist() for t in at]
    velocity = [made.get_velocity(clean, noise, torch.tensor([t])).flatten().tolist() for t in at]
    golden = dict(
        signal=made.alphas_cumprod.tolist(),
        clean=clean.flatten().tolist(),
        noise=noise.flatten().tolist(),
        timesteps=at,
        noised=noised,
        velocity=velocity,
        paths=[
            path(prediction, spacing, bound, noise)
            for prediction in ("epsilon", "v_prediction")
            for spacing in ("trailing", "leading")
            for bound in (None, 0.8)
        ],
    )
    target = pathlib.Path(__file__).with_name("diffusion.json")
    target.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
