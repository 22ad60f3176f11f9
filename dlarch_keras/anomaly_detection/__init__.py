"""Anomaly detection: in tables, and in images of surfaces."""

from .image import ImageAnomalyDetector
from .table import AnomalyDetector

__all__ = ["AnomalyDetector", "ImageAnomalyDetector"]
