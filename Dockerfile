# The page, and the workers that generate for it. compose.yaml starts both; docs/hosting.md says how.
FROM python:3.12-slim

RUN useradd --create-home hub-ui
WORKDIR /home/hub-ui/source
COPY pyproject.toml README.md LICENSE ./
COPY connectors connectors
COPY hub_ui hub_ui
RUN pip install --no-cache-dir '.[cluster,postgres,space]'

USER hub-ui
WORKDIR /home/hub-ui
# Made here, so that the volumes mounted there belong to this user.
RUN mkdir data huggingface
ENV HUB_UI_HOME=/home/hub-ui/data HF_HOME=/home/hub-ui/huggingface
EXPOSE 7860
CMD ["hub-ui", "serve", "--hosted", "--port", "7860"]
