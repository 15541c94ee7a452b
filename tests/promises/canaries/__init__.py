"""A program that hands secrets to every driver, in every channel: `python -m tests.promises.canaries`.

secrets   what they look like   stores   databases and Redis   aws   services of AWS
web       clients and a service   tasks   Celery   __main__   all of them, each in traces of its own
"""
