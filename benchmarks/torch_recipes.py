"""The networks and training steps of keras.io's tutorials in plain torch, without Keras: for `benchmarks.recipes`.

Each `NAME()` returns a function that trains on a batch, NumPy with channels last, and returns the loss. They are timed,
and judged by nothing else.
"""

import torch
from torch import nn
from torch.nn import functional


def images(x):
    return torch.from_numpy(x).permute(0, 3, 1, 2)


def stepper(optimizer, batch_loss):
    """A step of one optimizer on `batch_loss(x, y)`."""

    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def step(x, y):
        loss = batch_loss(x, y)
        for parameter, gradient in zip(parameters, torch.autograd.grad(loss, parameters)):
            parameter.grad = gradient  # of these only: `backward` would go through both networks of a GAN
        optimizer.step()
        return loss.item()

    return step


def vae():
    encoder = nn.Sequential(
        nn.Conv2d(1, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 64, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(64 * 49, 16), nn.ReLU(), nn.Linear(16, 4),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(2, 64 * 49), nn.ReLU(), nn.Unflatten(1, (64, 7, 7)),
        nn.ConvTranspose2d(64, 64, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(64, 32, 3, 2, 1, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 3, 1, 1),
    )  # fmt: skip

    def batch_loss(x, y):
        x = images(x)
        mean, log_var = encoder(x).chunk(2, 1)
        logits = decoder(mean + torch.exp(0.5 * log_var) * torch.randn_like(mean))
        reconstruction = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        return reconstruction - 0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(1).mean()

    return stepper(torch.optim.Adam([*encoder.parameters(), *decoder.parameters()]), batch_loss)


def gan():
    generator = nn.Sequential(
        nn.Linear(128, 128 * 49), nn.LeakyReLU(0.2), nn.Unflatten(1, (128, 7, 7)),
        nn.ConvTranspose2d(128, 128, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.ConvTranspose2d(128, 128, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 7, 1, 3), nn.Sigmoid(),
    )  # fmt: skip
    discriminator = nn.Sequential(
        nn.Conv2d(1, 64, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(64, 128, 3, 2, 1), nn.LeakyReLU(0.2),
        nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(128, 1),
    )  # fmt: skip
    cross_entropy = functional.binary_cross_entropy_with_logits

    def discriminator_loss(x, y):
        with torch.no_grad():
            fakes = generator(torch.randn(len(x), 128))
        targets = torch.cat([torch.zeros(len(x), 1), torch.ones(len(x), 1)])
        targets -= 0.05 * torch.rand_like(targets)
        return cross_entropy(discriminator(torch.cat([fakes, images(x)])), targets)

    def generator_loss(x, y):
        return cross_entropy(discriminator(generator(torch.randn(len(x), 128))), torch.ones(len(x), 1))

    steps = [
        stepper(torch.optim.Adam(network.parameters(), 3e-4), batch_loss)
        for network, batch_loss in ((discriminator, discriminator_loss), (generator, generator_loss))
    ]
    return lambda x, y: [step(x, y) for step in steps]


def siamese():
    tower = nn.Sequential(
        nn.BatchNorm2d(1), nn.Conv2d(1, 4, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(4, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.BatchNorm1d(256), nn.Linear(256, 10), nn.Tanh(),
    )  # fmt: skip
    head = nn.Sequential(nn.BatchNorm1d(1), nn.Linear(1, 1), nn.Sigmoid())

    def batch_loss(x, y):
        a, b = (tower(images(each)) for each in x)
        distance = head(((a - b) ** 2).sum(1, keepdim=True).clamp_min(1e-7).sqrt())[:, 0]
        y = torch.from_numpy(y)
        return ((1 - y) * distance**2 + y * (1 - distance).relu() ** 2).mean()

    return stepper(torch.optim.RMSprop([*tower.parameters(), *head.parameters()], 1e-3), batch_loss)


def denoising_autoencoder():
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 32, 3, 1, 1), nn.ReLU(), nn.MaxPool2d(2),
        nn.ConvTranspose2d(32, 32, 3, 2, 1, 1), nn.ReLU(), nn.ConvTranspose2d(32, 32, 3, 2, 1, 1), nn.ReLU(),
        nn.Conv2d(32, 1, 3, 1, 1), nn.Sigmoid(),
    )  # fmt: skip

    def batch_loss(x, y):
        return functional.binary_cross_entropy(network(images(x)), images(y))

    return stepper(torch.optim.Adam(network.parameters()), batch_loss)
