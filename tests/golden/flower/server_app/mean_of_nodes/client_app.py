"""Never run: the nodes are not Flower's."""

from flwr.clientapp import ClientApp

app = ClientApp()
